// Package inbox is the index of one partition of a group's inbox: which of its records have not ended, when each is due, and which keys they hold.
//
//	ix := inbox.New(committed, topicID, metadata.Completed)
//	ix.Read(entry, epoch, …)     // for every record, in the order of the log
//	ids := ix.Take(now, 100)     // whose time has come: fetch their bodies at ix.At(id).Offset
//	ix.End(id)                   // when one has ended
//	ix.Mark(), ix.Completed()    // commit these
//
// It holds no record: an entry takes about 70 bytes, so that a million can wait. It serves these guarantees: the mark passes no record that has not ended (G2);
// of the records of one key only the one with the lowest source offset comes due (G3); a record that was handed off twice waits once (G7).
//
// The package neither reads nor writes and has no clock. Its types are not safe for concurrent use: who owns the partition holds a lock around them.
package inbox
