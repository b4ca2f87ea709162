package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
	"go.yaml.in/yaml/v4"
)

// changes is how the published contract differs from the vendored one in meaning.
type changes struct {
	vendored, source string
	named            checker.Changes // as oasdiff names them, breaking ones first
	structure        string          // all of them as YAML; "" where there is none
}

// none goes by the structure: oasdiff has no name for some changes.
func (c *changes) none() bool { return c.structure == "" }

// wordsOnly are the elements that a reader sees and a request does not.
var wordsOnly = []string{
	diff.ExcludeDescriptionOption, diff.ExcludeSummaryOption, diff.ExcludeTitleOption, diff.ExcludeExamplesOption,
	diff.ExcludeTagsOption, diff.ExcludeEndpointsOption, // endpoints say again what paths say
}

// meaningful are the extensions that say what is accepted, and of whom.
var meaningful = []string{diff.SunsetExtension, diff.XStabilityLevelExtension, diff.XExtensibleEnumExtension, "x-whop-credentials"}

// compare reads both sides and says how source differs from the vendored file.
func compare(ctx context.Context, from fetcher, vendored, source string) (*contract, *changes, error) {
	base, err := read(ctx, from, vendored)
	if err != nil {
		return nil, nil, err
	}
	if base.gone() {
		return nil, nil, fmt.Errorf("%s: %s is not in it, so there is nothing to compare with; restore the file from git", vendored, operationName)
	}
	published, err := read(ctx, from, source)
	if err != nil {
		return nil, nil, err
	}
	found, err := changesBetween(base, published)
	if err != nil {
		return nil, nil, fmt.Errorf("comparing %s with %s: %w", vendored, source, err)
	}
	found.vendored, found.source = vendored, source
	return published, found, nil
}

func changesBetween(base, published *contract) (*changes, error) {
	if published.open && len(schemesOf(base.spec)) > 0 {
		return nil, broken(errors.New("it asks for no credentials any more, and the document ends without components"))
	}
	var ignored []string
	for _, name := range slices.Concat(base.names, published.names) {
		if strings.HasPrefix(name, "x-") && !slices.Contains(meaningful, name) {
			ignored = append(ignored, name)
		}
	}
	config := diff.NewConfig(diff.WithExcludeElements(wordsOnly), diff.WithExcludeExtensions(ignored))
	found, sources, err := diff.GetWithOperationsSourcesMap(config, meaningOf(base), meaningOf(published))
	if err != nil || found.Empty() {
		return &changes{}, err
	}
	structure, err := yaml.Dump(found, yaml.WithV4Defaults(), yaml.WithCompactSeqIndent(false))
	if err != nil {
		return nil, err
	}
	named := checker.CheckBackwardCompatibilityUntilLevel(checker.NewConfig(checker.GetAllChecks()), found, sources, checker.INFO)
	slices.SortStableFunc(named, func(a, b checker.Change) int { return cmp.Compare(b.GetLevel(), a.GetLevel()) })
	return &changes{named: named, structure: string(structure)}, nil
}

// meaningOf reduces a contract to what a call to the operation depends on, said in
// one way: parameters, servers and security may stand at the operation or above it.
func meaningOf(c *contract) *load.SpecInfo {
	spec := *c.spec
	spec.OpenAPI = strings.Join(strings.SplitN(spec.OpenAPI, ".", 3)[:2], ".")
	spec.Info, spec.Tags, spec.ExternalDocs, spec.Extensions = nil, nil, nil, nil
	schemes := openapi3.SecuritySchemes{}
	for name := range schemesOf(&spec) {
		schemes[name] = spec.Components.SecuritySchemes[name]
	}
	spec.Components = &openapi3.Components{SecuritySchemes: schemes}
	if found := spec.Paths.Find(operationPath); found != nil {
		item, op := *found, *found.Post
		op.ExternalDocs = nil
		op.Security, spec.Security = new(securityOf(&spec)), nil
		if op.Servers != nil {
			spec.Servers = *op.Servers
		} else if item.Servers != nil {
			spec.Servers = item.Servers
		}
		op.Servers, item.Servers = nil, nil
		item.Post = &op
		spec.Paths = openapi3.NewPaths(openapi3.WithPath(operationPath, &item))
	}
	info := &load.SpecInfo{Spec: &spec, Url: "openapi.yml"}
	_, _ = load.WithFlattenParams()(nil, []*load.SpecInfo{info}) // it has no error to give
	return info
}

// securityOf is what the operation asks for, or what the document asks for by default.
func securityOf(spec *openapi3.T) openapi3.SecurityRequirements {
	if item := spec.Paths.Find(operationPath); item != nil && item.Post.Security != nil {
		return *item.Post.Security
	}
	return spec.Security
}

// schemesOf are the names of the security schemes that the operation accepts.
func schemesOf(spec *openapi3.T) map[string]bool {
	names := map[string]bool{}
	for _, requirement := range securityOf(spec) {
		for name := range requirement {
			names[name] = true
		}
	}
	return names
}
