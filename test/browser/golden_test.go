package browser

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update-pictures", false, "write testdata and docs/dashboard.png instead of comparing")

// TestPictures: the three pages in a light and a dark scheme and on a telephone look as they did. What is compared are the colors of small squares, so that other versions of fonts make no
// difference, while something that is missing, moved or unstyled does.
func TestPictures(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flagsWithTraces(t)...)
	b := d.open(t)
	for name, path := range map[string]string{"fleet": "/", "workload": "/w/shop/deployments.apps/web", "controller": "/system"} {
		for look, c := range map[string]struct {
			width, height int
			dark          bool
		}{"light": {1280, 900, false}, "dark": {1280, 900, true}, "phone": {390, 844, false}} {
			b.size(c.width, c.height)
			b.dark(c.dark)
			b.open(d.base + path)
			b.await(path+" is drawn", drawn)
			if name == "controller" {
				b.await("what doctor finds", `document.querySelector('.found tr')`)
			}
			if name == "workload" {
				b.await("what can be tried", `document.querySelector('input[name="mini-hpa/target-cpu"]')`)
				get[bool](b, `(() => { const i = document.querySelector('input[name="mini-hpa/target-cpu"]'); i.value = '70'; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()`)
				b.await("it was tried", `document.querySelector('.sums')`)
			}
			shot := b.shot()
			if look == "light" && name == "workload" && *update {
				writePicture(t, filepath.Join("..", "..", "docs", "dashboard.png"), decoded(t, shot))
			}
			if dir := os.Getenv("MINI_HPA_SHOTS"); dir != "" {
				must(t, os.WriteFile(filepath.Join(dir, name+"-"+look+".png"), shot, 0o644))
			}
			compare(t, name+"-"+look, decoded(t, shot))
		}
	}
}

// How large the squares are, and how far their color may be off, of 255, in how many of a thousand of them: text that is a little wider moves a few.
const (
	square  = 10
	off     = 26
	permill = 60
)

func compare(t *testing.T, name string, shot image.Image) {
	t.Helper()
	got, path := mosaic(shot), filepath.Join("testdata", name+".png")
	if *update {
		writePicture(t, path, got)
		return
	}
	text, err := os.ReadFile(path)
	must(t, err)
	want := decoded(t, text)
	if want.Bounds() != got.Bounds() {
		t.Fatalf("%s: %v, want %v", name, got.Bounds(), want.Bounds())
	}
	wrong, all := 0, 0
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			if all++; far(got.At(x, y), want.At(x, y)) {
				wrong++
			}
		}
	}
	t.Logf("%s: %d of %d squares are another color", name, wrong, all)
	if wrong*1000 > all*permill {
		t.Errorf("%s looks otherwise: %d of %d squares are another color; look at it with MINI_HPA_SHOTS=FOLDER, and if it is right, write it with -args -update-pictures", name, wrong, all)
	}
}

func far(a, b color.Color) bool {
	r, g, u, _ := a.RGBA()
	p, q, v, _ := b.RGBA()
	for _, d := range []int{int(r) - int(p), int(g) - int(q), int(u) - int(v)} {
		if max(d, -d)>>8 > off {
			return true
		}
	}
	return false
}

// mosaic has one pixel for each square, of its mean color.
func mosaic(shot image.Image) image.Image {
	size := shot.Bounds().Size()
	out := image.NewRGBA(image.Rect(0, 0, size.X/square, size.Y/square))
	for y := range size.Y / square {
		for x := range size.X / square {
			var sum [3]uint32
			for i := range square * square {
				r, g, b, _ := shot.At(x*square+i%square, y*square+i/square).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+r>>8, sum[1]+g>>8, sum[2]+b>>8
			}
			const n = square * square
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
		}
	}
	return out
}

func decoded(t *testing.T, text []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(text))
	must(t, err)
	return picture
}

func writePicture(t *testing.T, path string, picture image.Image) {
	t.Helper()
	var text bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	must(t, encoder.Encode(&text, picture))
	must(t, os.WriteFile(path, text.Bytes(), 0o644))
	t.Logf("%s has %d bytes", path, text.Len())
}
