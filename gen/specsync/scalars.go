package main

import (
	"math/big"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalarNode is a value of YAML or JSON, numbers in one form and exact.
func scalarNode(n *yaml.Node) *node {
	if value, ok := number(n.Value); ok && n.Tag == "" { // of JSON
		return &node{value: value}
	}
	switch n.ShortTag() {
	case "!!null":
		return &node{value: "null"}
	case "!!bool":
		if value, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return &node{value: strconv.FormatBool(value)}
		}
	case "!!int", "!!float":
		if value, ok := number(n.Value); ok {
			return &node{value: value}
		}
	}
	return stringNode(n.Value)
}

// maxExponent bounds the numbers that are written out. What is beyond is compared as text.
const maxExponent = 400

// number writes a number in one form: 1, 1.0 and 1e0 are the same.
func number(text string) (string, bool) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok && !strings.HasPrefix(text, "0x") {
		if n, err := strconv.Atoi(exponent); err != nil || n > maxExponent || n < -maxExponent {
			return "", false
		}
	}
	if strings.Contains(text, "/") || len(text) > 1000 {
		return "", false
	}
	if n, ok := new(big.Int).SetString(text, 0); ok {
		return n.String(), true
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", false
	}
	if r.IsInt() {
		return r.Num().String(), true
	}
	digits, exact := r.FloatPrec()
	if !exact {
		return "", false
	}
	return r.FloatString(digits), true
}
