package sordini_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/aws"

	"github.com/sordini-go/sordini"
)

// awsSecrets are the access keys that the other side knows.
var awsSecrets = map[string]string{"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

// verifyMSK does what a broker of Amazon MSK does with the first message: it writes the request down again from what was sent, signs it with the secret that
// it knows, and compares. Written from the Signature Version 4 specification, without what the SDK signs with.
func verifyMSK(message []byte, now time.Time) (fields map[string]string, err error) {
	if err := json.Unmarshal(message, &fields); err != nil {
		return nil, err
	}
	if fields["version"] != "2020_10_22" || fields["action"] != "kafka-cluster:Connect" || fields["user-agent"] == "" {
		return nil, fmt.Errorf("fields %v", fields)
	}
	names := map[string]string{
		"action": "Action", "x-amz-algorithm": "X-Amz-Algorithm", "x-amz-credential": "X-Amz-Credential", "x-amz-date": "X-Amz-Date", "x-amz-expires": "X-Amz-Expires",
		"x-amz-signedheaders": "X-Amz-SignedHeaders", "x-amz-security-token": "X-Amz-Security-Token",
	}
	var query []string
	for field, value := range fields {
		if name, ok := names[field]; ok {
			query = append(query, name+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		}
	}
	slices.Sort(query)
	scope := strings.Split(fields["x-amz-credential"], "/")
	secret, known := awsSecrets[scope[0]]
	if len(scope) != 5 || !known || scope[3] != "kafka-cluster" || scope[4] != "aws4_request" || !strings.HasPrefix(fields["x-amz-date"], scope[1]) {
		return nil, fmt.Errorf("credential %q", fields["x-amz-credential"])
	}
	at, err := time.Parse("20060102T150405Z", fields["x-amz-date"])
	if err != nil {
		return nil, err
	}
	lasts, err := time.ParseDuration(fields["x-amz-expires"] + "s")
	switch {
	case err != nil:
		return nil, err
	case at.After(now.Add(5 * time.Minute)):
		return nil, errors.New("Signature not yet current")
	case now.After(at.Add(lasts)):
		return nil, errors.New("Signature expired")
	}
	request := "GET\n/\n" + strings.Join(query, "&") + "\nhost:" + fields["host"] + "\n\nhost\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	hash := sha256.Sum256([]byte(request))
	sign := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	key := []byte("AWS4" + secret)
	for _, part := range scope[1:] {
		key = sign(key, part)
	}
	toSign := "AWS4-HMAC-SHA256\n" + fields["x-amz-date"] + "\n" + strings.Join(scope[1:], "/") + "\n" + hex.EncodeToString(hash[:])
	if want := hex.EncodeToString(sign(key, toSign)); fields["x-amz-signature"] != want {
		return nil, fmt.Errorf("signature %s, want %s", fields["x-amz-signature"], want)
	}
	return fields, nil
}

func awsUser(token string) sordini.AWSCredentials {
	return sordini.AWSCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: sordini.NewSecret(awsSecrets["AKIDEXAMPLE"]), SessionToken: sordini.NewSecret(token)}
}

const mskHost = "b-1.orders.abc.c2.kafka.eu-central-1.amazonaws.com"

func TestAWSSignatureIsTheOneThatAWSMakes(t *testing.T) {
	for name, c := range map[string]struct {
		region, host, token, want string
	}{
		"region of the host":      {"", mskHost, "", "eu-central-1"},
		"region of a host, China": {"", "b-1.x.kafka.cn-north-1.amazonaws.com.cn", "", "cn-north-1"},
		"region given":            {"us-gov-west-1", mskHost, "", "us-gov-west-1"},
		"private link":            {"eu-west-2", "kafka.internal", "", "eu-west-2"},
		"session token":           {"", mskHost, "IQoJb3JpZ2lu+/=~ x", "eu-central-1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, sent, err := sordini.AWSMSKIAM(c.region, awsUser(c.token).Provide).Authenticate(t.Context(), c.host+":9098")
			if err != nil {
				t.Fatal(err)
			}
			fields, err := verifyMSK(sent, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if fields["host"] != c.host || fields["x-amz-security-token"] != c.token || !strings.Contains(fields["x-amz-credential"], "/"+c.want+"/") {
				t.Errorf("sent %v", fields)
			}
			if strings.Contains(string(sent), awsSecrets["AKIDEXAMPLE"]) {
				t.Errorf("the secret is sent: %s", sent)
			}
		})
	}
}

// At one moment the message is the one that franz-go's own implementation makes, but for who says it.
func TestAWSMessageIsTheOneOfFranzGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, token := range []string{"", "a+b/c="} {
			_, ours, err := sordini.AWSMSKIAM("", awsUser(token).Provide).Authenticate(t.Context(), mskHost+":9098")
			if err != nil {
				t.Fatal(err)
			}
			auth := aws.Auth{AccessKey: "AKIDEXAMPLE", SecretKey: awsSecrets["AKIDEXAMPLE"], SessionToken: token}
			_, theirs, err := auth.AsManagedStreamingIAMMechanism().Authenticate(t.Context(), mskHost+":9098")
			if err != nil {
				t.Fatal(err)
			}
			var a, b map[string]string
			if err := errors.Join(json.Unmarshal(ours, &a), json.Unmarshal(theirs, &b)); err != nil {
				t.Fatal(err)
			}
			delete(a, "user-agent")
			delete(b, "user-agent")
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%v\nfranz-go sends %v", a, b)
			}
		}
	})
}

// A client authenticates as with MSK at a server that checks the signature, and is told when the secret, or the clock, is wrong.
func TestAWSMSKIAMLogsIn(t *testing.T) {
	server := func(skew time.Duration) string {
		return serveFrames(t, func(key int16, body []byte) kmsg.Response {
			switch key {
			case 18:
				return versions(17, 36)
			case 3:
				return kmsg.NewPtrMetadataResponse()
			case 17:
				resp := kmsg.NewPtrSASLHandshakeResponse()
				if !strings.Contains(string(body), "AWS_MSK_IAM") {
					resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
				}
				return resp
			}
			resp := kmsg.NewPtrSASLAuthenticateResponse()
			at := strings.IndexByte(string(body), '{')
			if _, err := verifyMSK(body[at:], time.Now().Add(skew)); err != nil {
				resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr(err.Error())
				return resp
			}
			resp.SASLAuthBytes = []byte(`{"version":"2020_10_22","request-id":"1"}`)
			return resp
		})
	}
	wrong := awsUser("")
	wrong.SecretAccessKey = sordini.NewSecret(canary)
	failing := func(context.Context) (sordini.AWSCredentials, error) {
		return sordini.AWSCredentials{}, errors.New("no role here")
	}
	for name, c := range map[string]struct {
		skew        time.Duration
		credentials func(context.Context) (sordini.AWSCredentials, error)
		region      string
		code, part  string
	}{
		"right":               {0, awsUser("").Provide, "eu-central-1", "", ""},
		"right, with a token": {0, awsUser("a+b").Provide, "eu-central-1", "", ""},
		"wrong secret":        {0, wrong.Provide, "eu-central-1", sordini.CodeAuthentication, "signature"},
		"clock is slow":       {10 * time.Minute, awsUser("").Provide, "eu-central-1", sordini.CodeClock, "Signature expired"},
		"clock is fast":       {-10 * time.Minute, awsUser("").Provide, "eu-central-1", sordini.CodeClock, "Signature not yet current"},
		"no credentials":      {0, failing, "eu-central-1", "-", "no role here"},
		"half of them":        {0, sordini.AWSCredentials{AccessKeyID: "x"}.Provide, "eu-central-1", "-", "without AccessKeyID or SecretAccessKey"},
		"no region":           {0, awsUser("").Provide, "", "-", "the region is not to be seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ping(t, working(func(cl *sordini.Cluster) {
				cl.Brokers, cl.SASL, cl.AllowPlainWithoutTLS = []string{server(c.skew)}, sordini.AWSMSKIAM(c.region, c.credentials), true
			}), time.Second)
			switch {
			case c.code == "":
				if err != nil {
					t.Error(err)
				}
			case c.code == "-":
				if err == nil || !strings.Contains(err.Error(), c.part) {
					t.Errorf("error %v", err)
				}
			default:
				expect(t, name, err, kerr.SaslAuthenticationFailed, c.code, c.part)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}
