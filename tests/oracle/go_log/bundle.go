// An evidence bundle (docs/spec/evidence/bundle.md) checked offline with golang.org/x/mod/sumdb and
// Go's own JSON, Ed25519 and SHA-256: nothing is shared with the C++ side but the specification.
//
//	go_log bundle FILE VKEYFILE [QUORUM WITNESSVKEYFILE...]
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type bundleKey struct {
	Origin      *string `json:"origin,omitempty"`
	Name        *string `json:"name,omitempty"`
	VKey        string  `json:"vkey"`
	Fingerprint string  `json:"fingerprint"`
}

type bundleEvent struct {
	Index *int64   `json:"index"`
	Leaf  *string  `json:"leaf"`
	Proof []string `json:"proof"`
}

type bundleChain struct {
	UID    string `json:"uid"`
	Whole  *bool  `json:"whole"`
	Events int    `json:"events"`
}

type bundle struct {
	Schema string `json:"schema"`
	About  *struct {
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		MadeUs int64  `json:"made_us"`
	} `json:"about"`
	Log        *bundleKey    `json:"log"`
	Witnesses  []bundleKey   `json:"witnesses"`
	Checkpoint string        `json:"checkpoint"`
	Events     []bundleEvent `json:"events"`
	Chains     []bundleChain `json:"chains"`
}

// What the check needs of a leaf; the rest is none of its business.
type leaf struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Tenant  string `json:"tenant"`
	Session string `json:"session"`
	Call    string `json:"call"`
	Attempt int64  `json:"attempt"`
	Chain   struct {
		UID  string `json:"uid"`
		Seq  int64  `json:"seq"`
		Prev string `json:"prev"`
	} `json:"chain"`
	Cause []struct {
		ID string `json:"id"`
	} `json:"cause"`
	Data struct {
		Kind   string `json:"kind"`
		Events int64  `json:"events"`
		Calls  int64  `json:"calls"`
		Denied int64  `json:"denied"`
	} `json:"data"`

	index int64
	hash  tlog.Hash
}

// A witness's key (type 0x04), for note.Open: the signature is 8 bytes of time and Ed25519 over
// `cosignature/v1`, that time and the note's text (c2sp.org/tlog-cosignature).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

// The 32 bytes of a vkey of the given type, its name and id. Ids are computed, not believed.
func parseVKey(vkey string, kind byte) (string, uint32, []byte, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 {
		return "", 0, nil, errors.New("malformed vkey")
	}
	typed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(typed) != 33 || typed[0] != kind {
		return "", 0, nil, errors.New("a vkey of another type")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), typed...))
	if hex.EncodeToString(sum[:4]) != parts[1] {
		return "", 0, nil, errors.New("the vkey's id is not its key's")
	}
	return parts[0], binary.BigEndian.Uint32(sum[:4]), typed[1:], nil
}

func newCosigner(vkey string) (note.Verifier, error) {
	name, id, key, err := parseVKey(vkey, 4)
	return cosigner{name, id, key}, err
}

func fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// encoding/json takes the last of two members of one name; here two are refused.
func checkNames(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var walk func() error
	walk = func() error {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		open, isDelim := token.(json.Delim)
		if !isDelim {
			return nil
		}
		seen := map[string]bool{}
		for decoder.More() {
			if open == '{' {
				name, err := decoder.Token()
				if err != nil {
					return err
				}
				if seen[name.(string)] {
					return fmt.Errorf("member %q stands twice", name)
				}
				seen[name.(string)] = true
			}
			if err := walk(); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
		return err
	}
	if err := walk(); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something stands behind the object")
	}
	return nil
}

func parseBundle(data []byte) (*bundle, error) {
	if err := checkNames(data); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var b bundle
	if err := decoder.Decode(&b); err != nil {
		return nil, err
	}
	if b.Schema != "writ.evidence-bundle/1" || b.About == nil || b.Log == nil ||
		b.Log.Origin == nil || b.Log.Name != nil || b.Witnesses == nil || b.Chains == nil {
		return nil, errors.New("not a bundle of version 1")
	}
	if len(b.Events) == 0 {
		return nil, errors.New("no events")
	}
	return &b, nil
}

// The tree that the trusted key signed, and how many of the trusted witnesses did.
func (b *bundle) open(vkey string, witnesses []string) (tlog.Tree, int, error) {
	none := tlog.Tree{}
	log, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		return none, 0, err
	}
	_, _, public, err := parseVKey(vkey, 1)
	if err != nil {
		return none, 0, err
	}
	if b.Log.VKey != strings.TrimSpace(vkey) || *b.Log.Origin != log.Name() {
		return none, 0, errors.New("the bundle is of another log key")
	}
	if b.Log.Fingerprint != fingerprint(public) {
		return none, 0, errors.New("the fingerprint is not the key's")
	}
	known := []note.Verifier{log}
	trusted := map[string]bool{}
	for _, text := range witnesses {
		witness, err := newCosigner(text)
		if err != nil {
			return none, 0, err
		}
		known = append(known, witness)
		trusted[fmt.Sprintf("%s+%08x", witness.Name(), witness.KeyHash())] = true
	}
	for _, own := range b.Witnesses {
		witness, err := newCosigner(own.VKey)
		if err != nil {
			return none, 0, err
		}
		if own.Name == nil || *own.Name != witness.Name() || own.Origin != nil ||
			own.Fingerprint != fingerprint(witness.(cosigner).key) {
			return none, 0, errors.New("a witness is not what its key says")
		}
		if !trusted[fmt.Sprintf("%s+%08x", witness.Name(), witness.KeyHash())] {
			known = append(known, witness) // its line must verify, and counts for nothing
		}
	}
	opened, err := note.Open([]byte(b.Checkpoint), note.VerifierList(known...))
	if err != nil {
		return none, 0, err
	}
	signed, cosigned := false, 0
	for _, sig := range opened.Sigs {
		signed = signed || sig.Name == log.Name() && sig.Hash == log.KeyHash()
		if trusted[fmt.Sprintf("%s+%08x", sig.Name, sig.Hash)] {
			cosigned++
		}
	}
	if !signed {
		return none, 0, errors.New("the log has not signed the checkpoint")
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != log.Name() {
		return none, 0, errors.New("a checkpoint of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return none, 0, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, cosigned, err
}

// Every event proven, and read.
func (b *bundle) leaves(tree tlog.Tree) ([]*leaf, error) {
	var out []*leaf
	last := int64(-1)
	ids := map[string]bool{}
	for _, event := range b.Events {
		if event.Index == nil || event.Leaf == nil || event.Proof == nil || *event.Index <= last {
			return nil, errors.New("events are not {index, leaf, proof}, rising")
		}
		last = *event.Index
		var proof tlog.RecordProof
		for _, text := range event.Proof {
			hash, err := tlog.ParseHash(text)
			if err != nil {
				return nil, err
			}
			proof = append(proof, hash)
		}
		hash := tlog.RecordHash([]byte(*event.Leaf))
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, last, hash); err != nil {
			return nil, fmt.Errorf("event %d: %w", last, err)
		}
		read := &leaf{index: last, hash: hash}
		if err := json.Unmarshal([]byte(*event.Leaf), read); err != nil {
			return nil, fmt.Errorf("event %d: %w", last, err)
		}
		if read.ID == "" || read.Chain.UID == "" || ids[read.ID] {
			return nil, fmt.Errorf("event %d: no event, or its id a second time", last)
		}
		if len(out) > 0 && read.Tenant != out[0].Tenant {
			return nil, fmt.Errorf("event %d: of another tenant", last)
		}
		ids[read.ID] = true
		out = append(out, read)
	}
	return out, nil
}

// Causes point backwards, and only what was permitted ends.
func checkOrder(leaves []*leaf) error {
	at := map[string]int64{}
	for _, l := range leaves {
		at[l.ID] = l.index
	}
	kinds := map[string]string{}
	for _, l := range leaves {
		for _, cause := range l.Cause {
			if index, here := at[cause.ID]; here && index >= l.index {
				return fmt.Errorf("event %d: its cause is not earlier", l.index)
			}
		}
		call := fmt.Sprintf("%s/%d", l.Call, l.Attempt)
		if l.Type == "call.decided" {
			kinds[call] = l.Data.Kind
		}
		if kind, here := kinds[call]; l.Type == "call.ended" && here && kind != "permit" {
			return fmt.Errorf("event %d: ended without a permit", l.index)
		}
	}
	return nil
}

func checkChain(claim bundleChain, leaves []*leaf) error {
	if claim.Whole == nil || len(leaves) != claim.Events || len(leaves) == 0 {
		return fmt.Errorf("chain %q: its events are not counted", claim.UID)
	}
	first, last := leaves[0], leaves[len(leaves)-1]
	hole := first.Chain.Seq != 0
	var calls, denied int64
	for i, l := range leaves {
		if l.Type == "call.decided" {
			calls++
			if l.Data.Kind == "forbid" {
				denied++
			}
		}
		if i == 0 {
			continue
		}
		before := leaves[i-1]
		if l.Chain.Seq <= before.Chain.Seq {
			return fmt.Errorf("event %d: out of its chain's order", l.index)
		}
		if l.Chain.Seq > before.Chain.Seq+1 {
			hole = true
		} else if l.Chain.Prev != "sha256:"+hex.EncodeToString(before.hash[:]) {
			return fmt.Errorf("event %d: does not link to the one before", l.index)
		}
	}
	if !*claim.Whole {
		return nil
	}
	if hole {
		return fmt.Errorf("chain %q is said to be whole and has a hole", claim.UID)
	}
	if first.Session != claim.UID {
		return nil
	}
	if first.Type != "session.started" || last.Type != "session.sealed" {
		return fmt.Errorf("session %q is said to be whole and lacks its start or seal", claim.UID)
	}
	if last.Data.Events != int64(len(leaves)) || last.Data.Calls != calls || last.Data.Denied != denied {
		return fmt.Errorf("the seal of %q does not count its events", claim.UID)
	}
	return nil
}

func checkBundle(file, vkeyFile string, quorum int, witnessFiles []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	b, err := parseBundle(data)
	if err != nil {
		return err
	}
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return err
	}
	var witnesses []string
	for _, name := range witnessFiles {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		witnesses = append(witnesses, string(text))
	}
	tree, cosigned, err := b.open(string(vkey), witnesses)
	if err != nil {
		return err
	}
	if cosigned < quorum {
		return fmt.Errorf("%d of %d required witnesses have cosigned", cosigned, quorum)
	}
	leaves, err := b.leaves(tree)
	if err != nil {
		return err
	}
	if err := checkOrder(leaves); err != nil {
		return err
	}
	chains := map[string][]*leaf{}
	for _, l := range leaves {
		chains[l.Chain.UID] = append(chains[l.Chain.UID], l)
	}
	whole := 0
	for _, claim := range b.Chains {
		if err := checkChain(claim, chains[claim.UID]); err != nil {
			return err
		}
		delete(chains, claim.UID)
		if *claim.Whole {
			whole++
		}
	}
	if len(chains) != 0 {
		return errors.New("a chain is not listed")
	}
	fmt.Printf("ok: %d events of %s proven under a checkpoint of %d, %d witnesses, %d of %d chains whole\n",
		len(leaves), *b.Log.Origin, tree.N, cosigned, whole, len(b.Chains))
	return nil
}
