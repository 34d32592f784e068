package container

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// The image's ports: the first broker's, on the host's listener and on that of a container network, the schema registry's and that of the health check.
const (
	hostPort     = 9092
	networkPort  = 19092
	registryPort = "8081/tcp"
	healthPort   = "8080/tcp"
)

// The files that the container and this package hand each other.
const (
	advertiseFile = "/run/sordini/advertise"
	authorityFile = "/run/sordini/ca.pem"
	usersFile     = "/run/sordini/users"
	rulesFile     = "/run/sordini/acls"
	dataDir       = "/data"
)

// Container is a reference broker in a container.
type Container struct {
	testcontainers.Container
	options options
}

// Run starts a container of the image and returns once every broker in it answers. The container that it returns is not nil where one was created, even
// with an error: hand it to testcontainers.CleanupContainer before looking at that.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	o := options{brokers: 1}
	for _, opt := range opts {
		if own, ok := opt.(Option); ok {
			if err := own(&o); err != nil {
				return nil, fmt.Errorf("run sordini broker: %w", err)
			}
		}
	}
	ports := []string{registryPort, healthPort}
	for i := range o.brokers {
		ports = append(ports, brokerPort(i))
	}
	c := &Container{options: o}
	custom := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(ports...),
		testcontainers.WithEnv(o.environment()),
		testcontainers.WithFiles(o.files()...),
		testcontainers.WithLifecycleHooks(testcontainers.ContainerLifecycleHooks{
			PostStarts: []testcontainers.ContainerHook{c.advertise},
		}),
	}, o.customizers...)
	ctr, err := testcontainers.Run(ctx, img, append(custom, opts...)...)
	if ctr == nil {
		return nil, fmt.Errorf("run sordini broker: %w", err)
	}
	c.Container = ctr
	if err != nil {
		return c, fmt.Errorf("run sordini broker: %w", err)
	}
	return c, nil
}

// advertise tells the brokers the ports that they have on the host, which are known only now, and waits until they answer.
func (c *Container) advertise(ctx context.Context, ctr testcontainers.Container) error {
	addresses, err := mapped(ctx, ctr, c.options.brokers)
	if err != nil {
		return err
	}
	if err := ctr.CopyToContainer(ctx, []byte(strings.Join(addresses, ",")+"\n"), advertiseFile, 0o644); err != nil {
		return fmt.Errorf("tell the brokers their addresses: %w", err)
	}
	err = wait.ForHTTP("/healthz").WithPort(healthPort).WithPollInterval(20*time.Millisecond).WaitUntilReady(ctx, ctr)
	if err != nil {
		return fmt.Errorf("wait for the brokers: %w%s", err, said(ctx, ctr))
	}
	return nil
}

// said is what the container printed last, for the error that nobody could explain otherwise.
func said(ctx context.Context, ctr testcontainers.Container) string {
	logs, err := ctr.Logs(ctx)
	if err != nil {
		return ""
	}
	defer logs.Close()
	text, err := io.ReadAll(logs)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "; it said: " + strings.TrimSpace(string(text[max(0, len(text)-1000):]))
}

func brokerPort(i int) string { return strconv.Itoa(hostPort+i) + "/tcp" }

// mapped returns where the host has the brokers' ports.
func mapped(ctx context.Context, ctr testcontainers.Container, brokers int) ([]string, error) {
	host, err := ctr.Host(ctx)
	if err != nil {
		return nil, fmt.Errorf("host of the container: %w", err)
	}
	addresses := make([]string, brokers)
	for i := range addresses {
		if err := wait.ForMappedPort(brokerPort(i)).WithPollInterval(20*time.Millisecond).WaitUntilReady(ctx, ctr); err != nil {
			return nil, fmt.Errorf("port of broker %d: %w", i+1, err)
		}
		port, err := ctr.MappedPort(ctx, brokerPort(i))
		if err != nil {
			return nil, fmt.Errorf("port of broker %d: %w", i+1, err)
		}
		addresses[i] = net.JoinHostPort(host, strconv.Itoa(int(port.Num())))
	}
	return addresses, nil
}

// Brokers returns the brokers' addresses, "host:port", for clients outside the container's network.
func (c *Container) Brokers(ctx context.Context) ([]string, error) {
	return mapped(ctx, c.Container, c.options.brokers)
}

// ConnectionString returns the brokers' addresses as one string, with commas between them, as clients take bootstrap servers.
func (c *Container) ConnectionString(ctx context.Context) (string, error) {
	brokers, err := c.Brokers(ctx)
	return strings.Join(brokers, ","), err
}

// MustConnectionString is [Container.ConnectionString]; it panics where that has an error.
func (c *Container) MustConnectionString(ctx context.Context) string {
	s, err := c.ConnectionString(ctx)
	if err != nil {
		panic(err)
	}
	return s
}

// NetworkBrokers returns the brokers' addresses for clients in the network of [WithNetworkListener], none without it.
func (c *Container) NetworkBrokers() []string {
	if c.options.alias == "" {
		return nil
	}
	addresses := make([]string, c.options.brokers)
	for i := range addresses {
		addresses[i] = net.JoinHostPort(c.options.alias, strconv.Itoa(networkPort+i))
	}
	return addresses
}

// SchemaRegistryURL returns where the schema registry is. It is always there, speaks HTTP and asks for no password.
func (c *Container) SchemaRegistryURL(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, registryPort, "http")
}

// CertificateAuthority returns the certificate, in PEM, of who signed the brokers' certificate: what clients trust. It needs [WithTLS].
func (c *Container) CertificateAuthority(ctx context.Context) ([]byte, error) {
	if !c.options.tls {
		return nil, errors.New("certificate authority: the brokers speak plain text; WithTLS changes that")
	}
	r, err := c.CopyFileFromContainer(ctx, authorityFile)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	defer r.Close()
	pem, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return pem, nil
}

// TLSConfig returns the settings of a client that trusts the brokers. It needs [WithTLS].
func (c *Container) TLSConfig(ctx context.Context) (*tls.Config, error) {
	pem, err := c.CertificateAuthority(ctx)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("certificate authority: the container's file has no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
