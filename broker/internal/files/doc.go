// Package files is the little that the broker wants of a file system: what lies between its logs and the disk, so that a test can stand there and take
// away, at any moment, what has not been synced.
package files
