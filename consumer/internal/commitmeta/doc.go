// Package commitmeta is the persisted format of the metadata that a group commits beside each offset, and the completion map in it.
//
// Kafka keeps one offset a partition, but records handled by key end in any order. What ended beyond the committed offset is written into the
// commit's metadata, so that it is not handled again after a crash (guarantee G7), together with what else must survive the process: attempts of
// waiting records and when they are due, starts without progress, the record noted before it starts, the fence. A commit is atomic, so the metadata always
// belongs to its offset; that it still does when it is read back is what Metadata.Matches decides.
//
//	s, err := commitmeta.Metadata{TopicID: id, Base: offset, LeaderEpoch: epoch, Completed: window.Completed()}.Encode(commitmeta.UTF16, 4096)
//	…
//	m, err := commitmeta.Decode(s)
//	if err == nil {
//		err = m.Matches(id, offset, epoch)
//	}
//
// The format is described beside its constants in metadata.go, the completion map in mapcode.go, the text in text.go. It is persisted: files in
// testdata pin it, and members of a release and the one before it work in one group. So a new section or a denser map is a new tag, read one
// release before it is written.
//
// The package neither commits nor logs, and it does not decide what to do about metadata that is not its own.
package commitmeta
