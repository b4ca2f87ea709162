package wrapper_test

import (
	"encoding/binary"
	"io"
)

// http2Frame is a frame as RFC 9113 lays it out. The standard library exports no framer, and
// whoever imports wrapper would inherit a requirement on x/net.
type http2Frame struct {
	kind    byte
	flags   byte
	stream  uint32 // 0: the connection
	payload []byte
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // what a client begins with

// Kinds of frames (RFC 9113, 6).
const (
	dataFrame      = 0x0
	headersFrame   = 0x1
	rstStreamFrame = 0x3
	settingsFrame  = 0x4
	pingFrame      = 0x6
	goAwayFrame    = 0x7
)

// Flags. A bit means one thing in one kind of frame and another in the next.
const (
	ackFlag        = 0x1 // of SETTINGS and PING
	endStreamFlag  = 0x1 // of DATA and HEADERS
	endHeadersFlag = 0x4
)

// http2Code is the reason of a RST_STREAM or GOAWAY (RFC 9113, 7).
type http2Code uint32

const (
	codeNoError         http2Code = 0x0
	codeProtocolError   http2Code = 0x1
	codeInternalError   http2Code = 0x2
	codeRefusedStream   http2Code = 0x7
	codeCancel          http2Code = 0x8
	codeEnhanceYourCalm http2Code = 0xb
)

// status200 is the header block ":status: 200": entry 8 of HPACK's static table (RFC 7541).
var status200 = []byte{0x80 | 8}

func readFrame(r io.Reader) (f http2Frame, err error) {
	var head [9]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	f = http2Frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:]) &^ (1 << 31)}
	f.payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(r, f.payload)
	return f, err
}

// writeFrame writes in one piece, so that frames do not mix.
func writeFrame(w io.Writer, f http2Frame) error {
	n := len(f.payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), f.kind, f.flags}
	b = binary.BigEndian.AppendUint32(b, f.stream)
	_, err := w.Write(append(b, f.payload...))
	return err
}

// endsStream reports whether the frame is the last of its stream.
func (f http2Frame) endsStream() bool {
	return (f.kind == dataFrame || f.kind == headersFrame) && f.flags&endStreamFlag != 0
}
