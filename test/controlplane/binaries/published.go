//go:build unix

package binaries

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// dialTimeout is how long it takes at most to learn that a machine may not reach the rest of the world.
	dialTimeout = 5 * time.Second
	// stall is how long nothing may come of a download that has begun.
	stall = 30 * time.Second
	// mostOfArchive bounds what is read, in bytes: that of Kubernetes' server has 0.4 GB.
	mostOfArchive = 2 << 30
)

// Published is a file of a release that has programs ready-made for one platform: an archive (.tar.gz), or a program itself. Its checksum is pinned, so that
// it does not matter who gives it.
type Published struct {
	URL string
	// Sum is the SHA-256 or SHA-512 of the file, in hexadecimal digits.
	Sum string
	// Folder is that of the programs in the archive.
	Folder string
}

// take puts the programs of tasks in their places, where the file can be had and is what it was pinned as; otherwise none of them.
func (p Published) take(ctx context.Context, tasks []task, tell func(read, size int64)) (err error) {
	sum, err := p.digest()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, size, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	watched := &counted{from: io.LimitReader(body, mostOfArchive), tell: func(read int64) { tell(read, size) }}
	watched.late = time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing has come for %s", stall)) })
	defer watched.late.Stop()
	all := io.TeeReader(watched, sum)
	made := map[string]string{} // by where it belongs
	defer func() {
		for _, partial := range made {
			_ = os.Remove(partial) // those that have not been renamed
		}
	}()
	if err = p.unpack(all, tasks, made); err == nil {
		_, err = io.Copy(io.Discard, all) // what follows counts for the checksum
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.Sum {
		return fmt.Errorf("its checksum is %s, and not %s as pinned", got, p.Sum)
	}
	for path, partial := range made {
		if err := os.Rename(partial, path); err != nil {
			return err
		}
	}
	return nil
}

func (p Published) digest() (hash.Hash, error) {
	switch len(p.Sum) {
	case hex.EncodedLen(sha256.Size):
		return sha256.New(), nil
	case hex.EncodedLen(sha512.Size):
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("the pinned checksum %q is neither a SHA-256 nor a SHA-512", p.Sum)
}

// open asks for the file. The connection is this file's alone.
func (p Published) open(ctx context.Context) (io.ReadCloser, int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, 0, err
	}
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: stall}}
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, 0, fmt.Errorf("the answer is %s", response.Status)
	}
	return response.Body, response.ContentLength, nil
}

// unpack writes the programs under names of their own, which it puts into made.
func (p Published) unpack(from io.Reader, tasks []task, made map[string]string) error {
	if !strings.HasSuffix(p.URL, ".tar.gz") {
		return save(from, tasks[0], made)
	}
	wanted := map[string]task{}
	for _, t := range tasks {
		wanted[p.Folder+"/"+t.name] = t
	}
	plain, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	archive := tar.NewReader(plain)
	for len(wanted) > 0 {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("it has no %s", strings.Join(slices.Sorted(maps.Keys(wanted)), ", "))
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(header.Name, "./")
		if t, isWanted := wanted[name]; isWanted && header.Typeflag == tar.TypeReg {
			if err := save(archive, t, made); err != nil {
				return err
			}
			delete(wanted, name)
		}
	}
	return nil
}

func save(from io.Reader, t task, made map[string]string) error {
	partial, err := t.partial()
	if err != nil {
		return err
	}
	made[t.path] = partial
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// counted reads, and tells how much has been read. Whatever comes keeps the time until it is late from running out.
type counted struct {
	from io.Reader
	read int64
	tell func(read int64)
	late *time.Timer
}

func (c *counted) Read(into []byte) (int, error) {
	n, err := c.from.Read(into)
	c.read += int64(n)
	c.late.Reset(stall)
	c.tell(c.read)
	return n, err
}

// takePublished takes what is published of tasks, and says why the rest has to be built.
func takePublished(ctx context.Context, report *progress, tasks []task) error {
	byFile := map[Published][]task{}
	var files []Published
	for _, t := range tasks {
		if byFile[t.published] == nil {
			files = append(files, t.published)
		}
		byFile[t.published] = append(byFile[t.published], t)
	}
	for _, file := range files {
		if file.URL == "" {
			continue
		}
		some := byFile[file]
		var names []string
		for _, t := range some {
			names = append(names, t.name)
		}
		told := strings.Join(names, ", ")
		report.say("taking %s from %s", told, file.URL)
		began, last := time.Now(), time.Now()
		err := file.take(ctx, some, func(read, size int64) {
			if time.Since(last) >= reportInterval {
				last = time.Now()
				report.say("%s of %s: %s", megabytes(read), megabytes(size), since(began))
			}
		})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			report.say("%s cannot be had from %s, and is built instead: %v", told, filepath.Base(file.URL), err)
		default:
			report.say("took %s in %s", told, since(began))
		}
	}
	return nil
}

func megabytes(n int64) string {
	if n < 0 {
		return "an unknown size"
	}
	return fmt.Sprintf("%d MB", n/1e6)
}
