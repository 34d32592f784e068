package sordini_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
)

// A password in a file that something else rotates: it is read again at each connection.
func ExampleLogin() {
	file := filepath.Join(os.TempDir(), "sordini-example-password")
	if err := os.WriteFile(file, []byte("alice-secret\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.Remove(file) }()
	b, err := broker.Start(broker.Config{SASL: &broker.SASL{Users: []broker.User{broker.NewUser("alice", "alice-secret")}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	cluster := sordini.Cluster{
		Brokers: b.Addrs(),
		SASL:    sordini.Login{Username: "alice", Password: sordini.SecretFile(file)}.ScramSHA512(),
	}
	client, err := cluster.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println("logged in:", client.Ping(context.Background()) == nil)
	fmt.Println(cluster.SASL, "is", cluster.Principal())
	// Output:
	// logged in: true
	// SCRAM-SHA-512 as "alice" is User:alice
}

// A service that gets its tokens from an identity provider by its own id and secret.
func ExampleClientCredentials() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := r.BasicAuth()
		fmt.Printf("%s asks for scope %q\n", id, r.FormValue("scope"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token": "`+unsigned+`", "token_type": "Bearer", "expires_in": 300}`)
	}))
	defer provider.Close()
	b, err := broker.Start(broker.Config{SASL: &broker.SASL{OAuth: &broker.OAuth{AllowUnsigned: true}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	credentials := sordini.ClientCredentials{
		TokenURL: provider.URL, ClientID: "billing", ClientSecret: sordini.NewSecret("billing-secret"), Scopes: []string{"kafka"},
	}
	cluster := sordini.Cluster{
		Brokers:              b.Addrs(),
		SASL:                 sordini.OAuthBearer(credentials.Tokens()),
		AllowPlainWithoutTLS: true, // an example on one machine; without it this is refused
		Logger:               slog.New(slog.DiscardHandler),
	}
	client, err := cluster.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println("logged in:", client.Ping(context.Background()) == nil, "as", cluster.Principal())
	// Output:
	// billing asks for scope "kafka"
	// logged in: true as User:billing
}

// unsigned is a token of a provider that signs nothing: {"sub":"billing","iat":1700000000,"exp":4102444800}.
const unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJiaWxsaW5nIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9."

// Amazon MSK with IAM: the credentials come from wherever the service has them; the AWS SDK is not linked for it.
func ExampleAWSMSKIAM() {
	retrieve := func(context.Context) (sordini.AWSCredentials, error) { // awsConfig.Credentials.Retrieve, of the AWS SDK
		return sordini.AWSCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: sordini.NewSecret("secret"), SessionToken: sordini.NewSecret("token")}, nil
	}
	cluster := sordini.Cluster{
		Brokers: []string{"b-1.orders.abc.c2.kafka.eu-central-1.amazonaws.com:9098"},
		SASL:    sordini.AWSMSKIAM("", retrieve),
	}
	fmt.Println(cluster.Validate())
	// Output:
	// cluster: SASL AWS_MSK_IAM without TLS sends a signature that is good for minutes in clear text; set TLS, use sordini.ScramSHA512, or say AllowPlainWithoutTLS as well: invalid cluster settings
}
