package sordini

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/sordini-go/sordini/internal/sigv4"
)

// AWSCredentials are what AWS gives out for signing.
type AWSCredentials struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret // of credentials that end, such as a role's; empty for a user's own
}

// Provide returns these credentials each time; what [AWSMSKIAM] takes where they do not change. Those in files ([SecretFile]) are read again each time.
func (c AWSCredentials) Provide(context.Context) (AWSCredentials, error) { return c, nil }

// Format prints whose credentials they are for every verb, without the secrets (guarantee G14).
func (c AWSCredentials) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "AWS credentials %s", c.AccessKeyID)
}

// MarshalText is Format for encoders.
func (c AWSCredentials) MarshalText() ([]byte, error) { return fmt.Append(nil, c), nil }

// AWSMSKIAM is SASL AWS_MSK_IAM, the login of Amazon MSK by IAM: each authentication is signed (Signature Version 4) with the credentials that the function
// gives. It is asked each time, from several goroutines; a few lines make one of the AWS SDK's, which is not linked for it:
//
//	SASL: sordini.AWSMSKIAM("", func(ctx context.Context) (sordini.AWSCredentials, error) {
//		c, err := awsConfig.Credentials.Retrieve(ctx) // cached by the AWS SDK
//		return sordini.AWSCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: sordini.NewSecret(c.SecretAccessKey), SessionToken: sordini.NewSecret(c.SessionToken)}, err
//	})
//
// The region is taken from the broker's host name where it is empty; give it where the name is not Amazon's own, as behind a private link. MSK listens with
// TLS on port 9098; without TLS it is refused. A clock that is off by minutes makes the signature invalid (CodeClock).
func AWSMSKIAM(region string, credentials func(context.Context) (AWSCredentials, error)) Mechanism {
	return &mechanism{
		name: "AWS_MSK_IAM",
		who:  func() string { return "" }, // an ARN, which only AWS knows
		about: func() string {
			if region == "" {
				return "in the region of the host"
			}
			return "in " + region
		},
		problems: func(Cluster) []string {
			switch {
			case credentials == nil:
				return []string{"has no credentials; give a function, or AWSCredentials.Provide"}
			case region != "" && !awsRegion.MatchString(region):
				return []string{fmt.Sprintf("has the region %q; give one like eu-central-1", region)}
			}
			return nil
		},
		begin: func(ctx context.Context, host string) (sasl.Session, []byte, error) {
			c, err := credentials(ctx)
			if err != nil {
				return nil, nil, fmt.Errorf("AWS credentials: %w", err)
			}
			first, err := signMSK(ctx, c, region, host, time.Now())
			if err != nil {
				return nil, nil, err
			}
			return &mskSession{}, first, nil
		},
	}
}

var awsRegion = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// awsSuffixes are the domains of Amazon's partitions; the label before is the region.
var awsSuffixes = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu", ".c2s.ic.gov", ".sc2s.sgov.gov"}

// regionOf reads the region out of a broker's name, such as b-1.orders.abc.c2.kafka.eu-central-1.amazonaws.com.
func regionOf(host string) string {
	for _, suffix := range awsSuffixes {
		if rest, ok := strings.CutSuffix(strings.ToLower(host), suffix); ok {
			if region := rest[strings.LastIndexByte(rest, '.')+1:]; awsRegion.MatchString(region) {
				return region
			}
		}
	}
	return ""
}

// signMSK makes the first message: the signed request as JSON, as aws-msk-iam-auth sends it.
func signMSK(ctx context.Context, c AWSCredentials, region, address string, now time.Time) ([]byte, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	if region == "" {
		if region = regionOf(host); region == "" {
			return nil, fmt.Errorf("the region is not to be seen in the host name %q; give it to sordini.AWSMSKIAM (AWS_REGION): %w", host, ErrCluster)
		}
	}
	secret, err := current(ctx, "secret access key", c.SecretAccessKey)
	if err != nil {
		return nil, err
	}
	token, err := current(ctx, "session token", c.SessionToken)
	if err != nil {
		return nil, err
	}
	if c.AccessKeyID == "" || secret == "" {
		return nil, errNoAWSCredentials
	}
	signed := sigv4.Sign(sigv4.Request{
		Host: host, Path: "/", Query: url.Values{"Action": {"kafka-cluster:Connect"}}, PayloadHash: sigv4.EmptyPayload,
		Service: "kafka-cluster", Region: region, Time: now, Expires: "300",
	}, sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: secret, SessionToken: token})
	fields := map[string]string{"version": "2020_10_22", "host": host, "user-agent": "sordini/" + runtime.Version()}
	for name, values := range signed {
		fields[strings.ToLower(name)] = values[0]
	}
	return json.Marshal(fields) //nolint:wrapcheck // strings always encode
}

var errNoAWSCredentials = errors.New("AWS credentials without AccessKeyID or SecretAccessKey")

// mskSession is one authentication after its first message.
type mskSession struct{}

// Challenge takes the broker's answer, which says the version and a request id where it accepts; nothing is no answer.
func (*mskSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return false, nil, errors.New("the broker answers AWS_MSK_IAM with nothing")
	}
	return true, nil, nil
}
