// A log in C2SP tlog-tiles form made and checked by golang.org/x/mod/sumdb alone, so that it shares
// nothing with the C++ side. Build, in this folder: GO111MODULE=off GOPATH=/usr/share/gocode go build.
//
//	go_log make DIR N            a log of N entries with a new key
//	go_log check DIR [OLDNOTE]   signature, every entry against its tile, the root, proofs
//	go_log bundle FILE VKEYFILE [QUORUM WITNESSVKEYFILE...]   an evidence bundle (bundle.go)
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

func number(n int64) string {
	out := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		out = fmt.Sprintf("x%03d/%s", n%1000, out)
	}
	return out
}

func path(dir, kind string, n int64, w int) string {
	out := filepath.Join(dir, "tile", kind, number(n))
	if w < width {
		out += fmt.Sprintf(".p/%d", w)
	}
	return out
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// What tlog numbers as one sequence of hashes of all levels.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = h[at]
	}
	return out, nil
}

func checkpointText(origin string, size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
}

func makeLog(dir string, size int64) error {
	const origin = "go.example/log"
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	var stored hashes
	var bundle []byte
	for i := int64(0); i < size; i++ {
		entry := []byte(fmt.Sprintf("entry %d of a log made in Go %s", i, strings.Repeat("x", int(i%300))))
		more, err := tlog.StoredHashes(i, entry, stored)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
		var length [2]byte
		binary.BigEndian.PutUint16(length[:], uint16(len(entry)))
		bundle = append(append(bundle, length[:]...), entry...)
		if w := int(i%width) + 1; w == width || i == size-1 {
			if err := write(path(dir, "entries", i/width, w), bundle); err != nil {
				return err
			}
			bundle = nil
		}
	}
	for _, tile := range tlog.NewTiles(8, 0, size) {
		data, err := tlog.ReadTileData(tile, stored)
		if err != nil {
			return err
		}
		if err := write(path(dir, strconv.Itoa(tile.L), tile.N, tile.W), data); err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(size, stored)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: checkpointText(origin, size, root)}, signer)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "log.vkey"), []byte(public+"\n")); err != nil {
		return err
	}
	return write(filepath.Join(dir, "checkpoint"), signed)
}

type tiles string

func (tiles) Height() int                         { return 8 }
func (tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (d tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range wanted {
		data, err := os.ReadFile(path(string(d), strconv.Itoa(t.L), t.N, t.W))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func open(file string, verifier note.Verifier) (tlog.Tree, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkLog(dir, old string) error {
	vkey, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	tree, err := open(filepath.Join(dir, "checkpoint"), verifier)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles(dir))
	var mine hashes
	for n := int64(0); n*width < tree.N; n++ {
		w := int(tree.N - n*width)
		if w > width {
			w = width
		}
		data, err := os.ReadFile(path(dir, "entries", n, w))
		if err != nil {
			return err
		}
		for i := 0; i < w; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return errors.New("a bundle is cut")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			index := n*width + int64(i)
			more, err := tlog.StoredHashes(index, data[2:end], mine)
			if err != nil {
				return err
			}
			mine = append(mine, more...)
			if index%97 == 0 || index == tree.N-1 {
				proof, err := tlog.ProveRecord(tree.N, index, reader)
				if err != nil {
					return err
				}
				if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data[2:end])); err != nil {
					return fmt.Errorf("entry %d: %w", index, err)
				}
			}
			data = data[end:]
		}
	}
	root, err := tlog.TreeHash(tree.N, mine)
	if err != nil {
		return err
	}
	if !bytes.Equal(root[:], tree.Hash[:]) {
		return errors.New("the entries do not give the root")
	}
	if old == "" {
		return nil
	}
	before, err := open(old, verifier)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, before.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash)
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "make":
		var size int64
		if size, err = strconv.ParseInt(os.Args[3], 10, 64); err == nil {
			err = makeLog(os.Args[2], size)
		}
	case len(os.Args) == 3 && os.Args[1] == "check":
		err = checkLog(os.Args[2], "")
	case len(os.Args) == 4 && os.Args[1] == "check":
		err = checkLog(os.Args[2], os.Args[3])
	case len(os.Args) >= 4 && os.Args[1] == "bundle":
		quorum := 0
		var witnesses []string
		if len(os.Args) > 4 {
			quorum, err = strconv.Atoi(os.Args[4])
			witnesses = os.Args[5:]
		}
		if err == nil {
			err = checkBundle(os.Args[2], os.Args[3], quorum, witnesses)
		}
	default:
		err = errors.New("usage: go_log make DIR N | check DIR [OLDNOTE] | bundle FILE VKEYFILE [QUORUM WITNESSVKEYFILE...]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_log:", err)
		os.Exit(1)
	}
}
