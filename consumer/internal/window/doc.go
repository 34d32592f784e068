// Package window keeps, for one assigned partition, which offsets are in flight and which are over, and from that the offset that may be committed
// and the completion map that goes with it.
//
//	w := window.New(committed, epoch, metadata.Completed)
//	slot, status := w.Admit(record.Offset, record.LeaderEpoch) // Admitted: handle it
//	…
//	w.Complete(slot)                                           // when it has ended, in whatever order
//	offset, epoch := w.Mark()                                  // commit this, with w.Completed() in its metadata
//
// It serves these guarantees: the mark never passes a record that has not ended (G2); what ended beyond the mark is named in the map and recognised
// when it is fetched again (G7); a record that the log lost and wrote anew is told from the one that was handled by its leader epoch, so the map and
// the mark never stand for a record that nobody handled (G1).
//
// Ending is one thing here: handled, dead-lettered and skipped are told apart elsewhere. The package knows neither keys nor retries, and it neither
// fetches nor commits.
package window
