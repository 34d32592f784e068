// Package container runs Sordini's reference broker in a container for tests, by testcontainers-go. It has the shape of the official modules:
//
//	ctr, err := container.Run(ctx, "sordini/broker:dev", container.WithTopic("orders", 12))
//	testcontainers.CleanupContainer(t, ctr) // before the error is looked at: a container that failed to start is removed as well
//	if err != nil {
//		t.Fatal(err)
//	}
//	brokers, err := ctr.Brokers(ctx)
//
// Any Kafka client may use what [Container.Brokers] returns; the package brings none. broker/container/image/build makes the image.
//
// A Go test rarely needs it: package brokertest runs the same broker in the test's own process, in a millisecond and in virtual time, and lets the test
// ask it and break it. A container is for what is not Go, for services that are containers themselves, and to go over to Apache Kafka with one line
// changed: "kafka.Run" of testcontainers-go's own module starts the same image, too.
//
// What it does not do: a read-only root file system, because the broker is told the mapped ports by a file; run the image by itself for that.
package container
