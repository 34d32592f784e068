// Package crashfs is a file system in memory that remembers everything that was done to it, in order, so that a test can ask what would be on the disk had
// the power failed at any moment: what was synced, and of the rest nothing, all, or some.
package crashfs

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/sordini-go/sordini/broker/internal/files"
)

// FS is the file system. Its zero value is not usable; see [New].
type FS struct {
	mu    sync.Mutex // guards what follows
	now   *tree
	ops   []op
	start *tree // before the first op
	locks map[string]bool
	limit int64 // bytes that fit; 0: any
	deaf  func(name string) bool
	fail  func(op, name string) error
}

// New returns an empty file system.
func New() *FS { return &FS{now: newTree(), start: newTree(), locks: make(map[string]bool)} }

// inode is a file's contents.
type inode struct{ data []byte }

// tree is what is there: files and directories by their names.
type tree struct {
	files map[string]*inode
	dirs  map[string]bool
}

func newTree() *tree {
	return &tree{files: make(map[string]*inode), dirs: map[string]bool{"/": true, ".": true}}
}

// clone copies the tree with the contents of its files.
func (t *tree) clone() *tree {
	c := newTree()
	for d := range t.dirs {
		c.dirs[d] = true
	}
	seen := make(map[*inode]*inode)
	for name, f := range t.files {
		if seen[f] == nil {
			seen[f] = &inode{slices.Clone(f.data)}
		}
		c.files[name] = seen[f]
	}
	return c
}

// op is one thing that was done.
type op struct {
	kind     string // write, truncate, create, open, rename, remove, removeall, mkdir, sync, syncdir
	node     *inode
	name, to string
	at       int64
	data     []byte
}

// String says what was done.
func (o op) String() string {
	switch o.kind {
	case "write":
		return fmt.Sprintf("write %d bytes at %d of %s", len(o.data), o.at, o.name)
	case "rename":
		return "rename " + o.name + " to " + o.to
	}
	return o.kind + " " + o.name
}

// Ops is how much has been done. It is a moment that [FS.Crash] takes.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ops)
}

// Op says what was done as the nth.
func (f *FS) Op(n int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops[n].String()
}

// Deafen makes syncs of the names that deaf says do nothing, although they say that they have.
func (f *FS) Deafen(deaf func(name string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = deaf
}

// Limit is how many bytes fit from now on; 0: any.
func (f *FS) Limit(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = bytes
}

// Fail makes what is done fail where fail has an error for it; op is the name of a method of [files.FS] or [files.File].
func (f *FS) Fail(fail func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// Used is how many bytes the files have.
func (f *FS) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now.used()
}

func (t *tree) used() (n int64) {
	for _, x := range t.files {
		n += int64(len(x.data))
	}
	return n
}

func (f *FS) failing(op, name string) error {
	if f.fail != nil {
		return f.fail(op, name)
	}
	return nil
}

// Keep says what becomes, in a crash, of what was not synced.
type Keep int

const (
	// Nothing of it is there.
	Nothing Keep = iota
	// All of it is: the process was killed, not the machine.
	All
	// Torn is all of it but that the last write of each file has reached the disk in half.
	Torn
	// Some of it is, each thing for itself by chance: contents without names, names without contents, the later without the earlier.
	Some
)

// Crash returns what is there after the first n things had been done and the power failed. seed draws what stays, for [Some].
func (f *FS) Crash(n int, keep Keep, seed uint64) *FS {
	f.mu.Lock()
	ops := f.ops[:n]
	c := newCrash(f.start.clone(), keep, rand.New(rand.NewPCG(seed, uint64(n))))
	f.mu.Unlock()
	for _, o := range ops {
		c.do(o)
	}
	left := New()
	left.start = c.disk()
	left.now = left.start.clone()
	return left
}

// crash follows what was done in two trees: what the processes see, and what is on the disk.
type crash struct {
	seen, safe *tree
	nodes      map[*inode]*inode // of the file system: here
	synced     map[*inode][]byte // contents that are on the disk, by the inodes here
	changes    map[*inode][]op   // since
	names      []op              // of names, that were not synced
	keep       Keep
	rnd        *rand.Rand
}

func newCrash(start *tree, keep Keep, rnd *rand.Rand) *crash {
	c := &crash{seen: newTree(), safe: newTree(), nodes: make(map[*inode]*inode), synced: make(map[*inode][]byte), changes: make(map[*inode][]op), keep: keep, rnd: rnd}
	for d := range start.dirs {
		c.seen.dirs[d], c.safe.dirs[d] = true, true
	}
	for name, x := range start.files {
		here := &inode{slices.Clone(x.data)}
		c.seen.files[name], c.safe.files[name] = here, here
		c.synced[here] = slices.Clone(x.data)
	}
	return c
}

func (c *crash) do(o op) {
	switch o.kind {
	case "create":
		x := &inode{}
		c.nodes[o.node] = x
		o.node = x
		c.named(o)
	case "open":
		c.node(o)
	case "write", "truncate":
		x := c.node(o)
		o.apply(x)
		c.changes[x] = append(c.changes[x], o)
	case "sync":
		x := c.node(o)
		c.synced[x] = slices.Clone(x.data)
		delete(c.changes, x)
	case "syncdir":
		rest := c.names[:0:0]
		for _, n := range c.names {
			if filepath.Dir(n.name) == o.name || n.kind == "rename" && filepath.Dir(n.to) == o.name {
				n.rename(c.safe)
			} else {
				rest = append(rest, n)
			}
		}
		c.names = rest
	default:
		c.named(o)
	}
}

// node finds the file of an op: by what was created, else by the name that it had when all began.
func (c *crash) node(o op) *inode {
	if x := c.nodes[o.node]; x != nil {
		return x
	}
	x := c.seen.files[o.name]
	if x == nil {
		panic("crashfs: " + o.String() + ": no such file")
	}
	c.nodes[o.node] = x
	return x
}

func (c *crash) named(o op) {
	o.rename(c.seen)
	c.names = append(c.names, o)
}

// apply changes contents.
func (o op) apply(x *inode) {
	switch o.kind {
	case "truncate":
		x.resize(o.at)
	case "write":
		x.resize(max(int64(len(x.data)), o.at+int64(len(o.data))))
		copy(x.data[o.at:], o.data)
	}
}

// rename changes names.
func (o op) rename(t *tree) {
	switch o.kind {
	case "create":
		t.files[o.name] = o.node
	case "mkdir":
		t.dirs[o.name] = true
	case "remove":
		delete(t.files, o.name)
	case "removeall":
		t.removeAll(o.name)
	case "rename":
		t.rename(o.name, o.to)
	}
}

func (t *tree) removeAll(dir string) {
	for name := range t.files {
		if within(name, dir) {
			delete(t.files, name)
		}
	}
	for name := range t.dirs {
		if within(name, dir) {
			delete(t.dirs, name)
		}
	}
}

func (t *tree) rename(from, to string) {
	if x := t.files[from]; x != nil {
		delete(t.files, from)
		t.files[to] = x
		return
	}
	for name, x := range t.files {
		if within(name, from) {
			delete(t.files, name)
			t.files[to+strings.TrimPrefix(name, from)] = x
		}
	}
	for name := range t.dirs {
		if within(name, from) {
			delete(t.dirs, name)
			t.dirs[to+strings.TrimPrefix(name, from)] = true
		}
	}
}

// orphans removes what is in directories that are not there.
func (t *tree) orphans() {
	for dir := range t.dirs {
		for up := dir; up != filepath.Dir(up); up = filepath.Dir(up) {
			if !t.dirs[filepath.Dir(up)] {
				delete(t.dirs, dir)
			}
		}
	}
	for name := range t.files {
		if !t.dirs[filepath.Dir(name)] {
			delete(t.files, name)
		}
	}
}

func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

func (x *inode) resize(n int64) {
	if n <= int64(len(x.data)) {
		x.data = x.data[:n]
		return
	}
	x.data = append(x.data, make([]byte, n-int64(len(x.data)))...)
}

// stays says whether something that was not synced is on the disk.
func (c *crash) stays() bool {
	return c.keep == All || c.keep == Torn || c.keep == Some && c.rnd.IntN(2) == 0
}

// disk is what is on the disk.
func (c *crash) disk() *tree {
	for _, n := range c.names {
		if c.stays() {
			n.rename(c.safe)
		}
	}
	c.safe.orphans()
	for _, x := range c.safe.files {
		now := &inode{slices.Clone(c.synced[x])}
		changes := c.changes[x]
		for i, o := range changes {
			if !c.stays() {
				continue
			}
			if last := i == len(changes)-1; o.kind == "write" && (c.keep == Torn && last || c.keep == Some && c.rnd.IntN(4) == 0) {
				o.data = o.data[:len(o.data)/2]
			}
			o.apply(now)
		}
		c.changes[x] = nil
		x.data = now.data
		c.synced[x] = now.data
	}
	return c.safe
}

// What follows makes it a [files.FS].

func (f *FS) note(o op) { f.ops = append(f.ops, o) }

// MkdirAll makes a directory and those above it.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	if err := f.failing("MkdirAll", dir); err != nil {
		return err
	}
	var missing []string
	for d := dir; !f.now.dirs[d]; d = filepath.Dir(d) {
		missing = append(missing, d)
	}
	for _, d := range slices.Backward(missing) {
		f.now.dirs[d] = true
		f.note(op{kind: "mkdir", name: d})
	}
	return nil
}

// Open opens a file for writing.
func (f *FS) Open(name string) (files.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if err := f.failing("Open", name); err != nil {
		return nil, err
	}
	if !f.now.dirs[filepath.Dir(name)] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	x := f.now.files[name]
	if x == nil {
		x = &inode{}
		f.now.files[name] = x
		f.note(op{kind: "create", node: x, name: name})
	} else {
		f.note(op{kind: "open", node: x, name: name})
	}
	return &file{fs: f, node: x, name: name}, nil
}

// ReadFile returns a file's contents.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.now.files[filepath.Clean(name)]
	if x == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(x.data), nil
}

// ReadDir lists the names in a directory.
func (f *FS) ReadDir(dir string) (names []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	for name := range f.now.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	for name := range f.now.dirs {
		if filepath.Dir(name) == dir && name != dir {
			names = append(names, filepath.Base(name)+"/")
		}
	}
	slices.Sort(names)
	return names, nil
}

// Rename gives a file or a directory another name.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	if err := f.failing("Rename", from); err != nil {
		return err
	}
	if f.now.files[from] == nil && !f.now.dirs[from] {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	f.now.rename(from, to)
	f.note(op{kind: "rename", name: from, to: to})
	return nil
}

// Remove removes a file.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if err := f.failing("Remove", name); err != nil {
		return err
	}
	if f.now.files[name] != nil {
		delete(f.now.files, name)
		f.note(op{kind: "remove", name: name})
	}
	return nil
}

// RemoveAll removes a directory.
func (f *FS) RemoveAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	f.now.removeAll(dir)
	f.note(op{kind: "removeall", name: dir})
	return nil
}

// SyncDir makes the names in a directory last.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	if err := f.failing("SyncDir", dir); err != nil {
		return err
	}
	if f.deaf == nil || !f.deaf(dir) {
		f.note(op{kind: "syncdir", name: dir})
	}
	return nil
}

// Lock takes a file that one may hold at a time. It is not there after a crash.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locks[name] {
		return nil, fmt.Errorf("%s: %w", name, files.ErrLocked)
	}
	f.locks[name] = true
	return unlocker(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.locks, name)
	}), nil
}

type unlocker func()

func (u unlocker) Close() error {
	u()
	return nil
}

type file struct {
	fs   *FS
	node *inode
	name string
}

func (w *file) WriteAt(p []byte, at int64) (int, error) {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if err := w.fs.failing("WriteAt", w.name); err != nil {
		return 0, err
	}
	o := op{kind: "write", node: w.node, name: w.name, at: at, data: slices.Clone(p)}
	if grows := at + int64(len(p)) - int64(len(w.node.data)); w.fs.limit > 0 && grows > 0 && w.fs.now.used()+grows > w.fs.limit {
		o.data = o.data[:max(0, int64(len(p))-grows)] // as much as there is room for, or less
		if len(o.data) > 0 {
			o.apply(w.node)
			w.fs.note(o)
		}
		return len(o.data), &fs.PathError{Op: "write", Path: w.name, Err: syscall.ENOSPC}
	}
	o.apply(w.node)
	w.fs.note(o)
	return len(p), nil
}

func (w *file) Truncate(size int64) error {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if err := w.fs.failing("Truncate", w.name); err != nil {
		return err
	}
	if size == int64(len(w.node.data)) {
		return nil
	}
	o := op{kind: "truncate", node: w.node, name: w.name, at: size}
	o.apply(w.node)
	w.fs.note(o)
	return nil
}

func (w *file) Begin(int64, int64) {}

func (w *file) Sync() error {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if err := w.fs.failing("Sync", w.name); err != nil {
		return err
	}
	if w.fs.deaf == nil || !w.fs.deaf(w.name) {
		w.fs.note(op{kind: "sync", node: w.node, name: w.name})
	}
	return nil
}

func (w *file) Close() error { return nil }
