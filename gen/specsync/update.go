package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/getkin/kin-openapi/openapi3"
)

// takeOver rewrites the file of w with what source published.
func takeOver(ctx context.Context, w watched, published *contract, source string) error {
	if published.gone() {
		return fmt.Errorf("%s: %s is not in it, so there is nothing to write; %s is as it was", source, operationName, w.file)
	}
	text, err := written(w, published, source)
	if err != nil {
		return fmt.Errorf("%s: %w; %s is as it was", source, err, w.file)
	}
	return replace(ctx, w.file, text)
}

// written is the text of the file, which says what was published: it is read again to see.
func written(w watched, published *contract, source string) (text []byte, err error) {
	root := published.doc.root
	if !has(root, "info", "title") || !has(root, "info", "version") {
		return nil, errors.New("it has no info with a title and a version, so it may not be whole")
	}
	extracted, err := extract(root)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(w.file) == ".json" {
		text = renderJSON(extracted)
	} else {
		if text, err = render(published.doc, extracted); err != nil {
			return nil, err
		}
		text = w.withOrigin(text, source)
	}
	again, err := contractIn(text)
	if err != nil {
		return nil, fmt.Errorf("what would be written does not read: %w", err)
	}
	lost, err := differencesBetween(published, again)
	if err != nil {
		return nil, err
	}
	if len(lost) > 0 {
		return nil, fmt.Errorf("what would be written says something else at %s; the file has to be edited by hand", lost[0].where())
	}
	if w.generated {
		if err := loads(text); err != nil {
			return nil, fmt.Errorf("what would be written cannot be generated from: %w", oneLine(err))
		}
	}
	return text, nil
}

// loads says whether the generator's library reads text. A panic of it is an answer too.
func loads(text []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it panics: %v", p)
		}
	}()
	_, err = openapi3.NewLoader().LoadFromData(text)
	return err
}
