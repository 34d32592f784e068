// Package containers tests what runs in containers: the image of the reference broker, the testcontainers module of package broker/container, and services
// built with the SDK, as their authors would test them. "run" starts an engine, builds the images and runs the tests; it needs root on Debian.
package containers
