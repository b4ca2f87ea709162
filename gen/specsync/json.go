package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// maxDepth is far beyond any real document and far below what a stack holds.
const maxDepth = 1000

// parseJSON reads a JSON document as a YAML tree, its fields in their order.
func parseJSON(data []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	root, err := jsonValue(dec, 0)
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is more after the JSON value's end")
	}
	return root, nil
}

func jsonValue(dec *json.Decoder, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, errors.New("it is nested too deep")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{}
	switch token := token.(type) {
	case json.Delim:
		node.Kind, node.Tag = yaml.MappingNode, "!!map"
		if token == '[' {
			node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		}
		keys := map[string]bool{}
		// A mapping's keys come as tokens too, so that its content alternates by itself.
		for dec.More() {
			child, err := jsonValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if node.Kind == yaml.MappingNode && len(node.Content)%2 == 0 {
				if keys[child.Value] {
					return nil, fmt.Errorf("the key %q is there twice in one object", child.Value)
				}
				keys[child.Value] = true
			}
			node.Content = append(node.Content, child)
		}
		_, err = dec.Token()
		return node, err
	case json.Number:
		// Its tag is left to the number's own shape.
		node.Kind, node.Value = yaml.ScalarNode, token.String()
	case string:
		node.SetString(token)
	case bool:
		node.Kind, node.Tag, node.Value = yaml.ScalarNode, "!!bool", strconv.FormatBool(token)
	default:
		node.Kind, node.Tag, node.Value = yaml.ScalarNode, "!!null", "null"
	}
	return node, nil
}

// renderJSON writes a tree as JSON, its fields in their order.
func renderJSON(n *yaml.Node) []byte {
	var out bytes.Buffer
	var write func(n *yaml.Node, indent string)
	write = func(n *yaml.Node, indent string) {
		begin, end, step := "[", "]", 1
		if n.Kind == yaml.MappingNode {
			begin, end, step = "{", "}", 2
		}
		if n.Kind == yaml.ScalarNode {
			out.WriteString(scalarNode(n).value)
			return
		}
		if len(n.Content) == 0 {
			out.WriteString(begin + end)
			return
		}
		out.WriteString(begin)
		for i := 0; i+step <= len(n.Content); i += step {
			if i > 0 {
				out.WriteString(",")
			}
			out.WriteString("\n" + indent + "  ")
			if step == 2 {
				out.WriteString(quoted(n.Content[i].Value) + ": ")
			}
			write(n.Content[i+step-1], indent+"  ")
		}
		out.WriteString("\n" + indent + end)
	}
	write(n, "")
	out.WriteString("\n")
	return out.Bytes()
}
