// Package admin asks a cluster about its topics and changes them: metadata with topic ids, creation, partitions, configurations, offsets, DeleteRecords.
//
// Every function takes a *kgo.Client, blocks until ctx ends or the answer is there, and is safe for concurrent use. An error of a broker is franz-go's
// *kerr.Error, wrapped with what was asked about what and with the broker's own message, so errors.Is works with the values of package kerr.
// What concerns one topic is reported for that topic; the error result is for what failed as a whole.
//
// It exists in place of franz-go's kadm, which is one module more than a service that encodes JSON may link.
package admin
