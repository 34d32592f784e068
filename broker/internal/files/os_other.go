//go:build !unix

package files

import "os"

// syncDir does nothing: names last without it on the systems that cannot sync a directory.
func syncDir(*os.File) error { return nil }

// lock does nothing: such a system refuses to open for writing what another process has open, or does not know locks at all.
func lock(*os.File) error { return nil }
