package main

import (
	"context"
	"fmt"
)

// changes is how the published contract differs from the vendored one.
type changes struct {
	vendored, source string
	named            []change     // breaking ones first
	places           []difference // a shared schema once; none where nothing changed in meaning
	unsaid, said     []string     // sentences that say what is accepted: no longer there, and new
	skipped          []error      // sources before this one that could not be compared
	failure          error        // why it cannot be told what changed
}

func (c *changes) none() bool { return len(c.places) == 0 }

// readVendored reads the file of a contract.
func readVendored(ctx context.Context, from fetcher, file string) (*contract, error) {
	base, err := read(ctx, from, file)
	if err == nil && base.gone() {
		err = fmt.Errorf("%s: %s is not in it, so there is nothing to compare with; restore the file from git", file, operationName)
	}
	return base, err
}

// compare says how what source publishes differs from the vendored contract.
func compare(ctx context.Context, from fetcher, base *contract, source string) (*contract, *changes, error) {
	published, err := read(ctx, from, source)
	if err != nil {
		return nil, nil, err
	}
	found, err := changesBetween(base, published)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", source, err)
	}
	found.source = source
	return published, found, nil
}

func changesBetween(base, published *contract) (*changes, error) {
	places, err := differencesBetween(base, published)
	if err != nil {
		return nil, err
	}
	found := &changes{places: places}
	if !published.gone() {
		found.unsaid, found.said = without(base.rules, published.rules), without(published.rules, base.rules)
	}
	if found.none() {
		return found, nil
	}
	if err := checkDrift(published, places); err != nil {
		return nil, err
	}
	found.named = name(base.meaning, published.meaning, places)
	return found, nil
}
