// Renders a Kustomization with Flux's own libraries, in the way of kustomize-controller: the oracle of the tests of
// drift/sources/flux.py. It reads one request as JSON and writes the objects as YAML.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/fluxcd/pkg/kustomize"
	"github.com/fluxcd/pkg/sourceignore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/kustomize/api/resmap"
)

// Request has the folder of a repository, which the program changes, and the objects of the cluster. With texts, the
// program only substitutes variables in these.
type Request struct {
	Root          string                 `json:"root"`
	Ignore        *string                `json:"ignore"`
	Kustomization map[string]interface{} `json:"kustomization"`
	ConfigMaps    []corev1.ConfigMap     `json:"configMaps"`
	Secrets       []corev1.Secret        `json:"secrets"`
	Strict        bool                   `json:"strict"`
	Texts         []string               `json:"texts"`
	Variables     map[string]string      `json:"variables"`
}

func main() {
	var request Request
	err := json.NewDecoder(os.Stdin).Decode(&request)
	if err == nil && request.Texts != nil {
		err = substitute(request)
	} else if err == nil {
		err = render(request)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func substitute(request Request) error {
	results := make([]*string, len(request.Texts))
	for i, text := range request.Texts {
		result, err := envsubst.Eval(text, func(name string) (string, bool) {
			value, exists := request.Variables[name]
			return value, exists || !request.Strict
		})
		if err == nil {
			results[i] = &result
		}
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}

func render(request Request) error {
	if err := removeIgnored(request); err != nil {
		return err
	}
	object := unstructured.Unstructured{Object: request.Kustomization}
	path, _, err := unstructured.NestedString(object.Object, "spec", "path")
	if err != nil {
		return err
	}
	folder := filepath.Join(request.Root, path)
	if _, err = kustomize.NewGenerator(request.Root, object).WriteFile(folder); err != nil {
		return err
	}
	built, err := kustomize.SecureBuild(request.Root, folder, false)
	if err != nil {
		return err
	}
	if err = substituteVariables(object, built, request); err != nil {
		return err
	}
	output, err := built.AsYaml()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(output)
	return err
}

// removeIgnored leaves what source-controller puts into an artifact.
func removeIgnored(request Request) error {
	domain := strings.Split(request.Root, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(request.Root, domain)
	if err != nil {
		return err
	}
	if request.Ignore != nil {
		patterns = append(patterns, sourceignore.ReadPatterns(bytes.NewBufferString(*request.Ignore), domain)...)
	}
	matcher := sourceignore.NewDefaultMatcher(patterns, domain)
	return filepath.Walk(request.Root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		// An artifact has no links.
		if !info.Mode().IsRegular() || matcher.Match(strings.Split(path, string(filepath.Separator)), false) {
			return os.Remove(path)
		}
		return nil
	})
}

func substituteVariables(object unstructured.Unstructured, built resmap.ResMap, request Request) error {
	postBuild, exists, err := unstructured.NestedMap(object.Object, "spec", "postBuild")
	if !exists || err != nil {
		return err
	}
	objects := []client.Object{}
	for i := range request.ConfigMaps {
		objects = append(objects, &request.ConfigMaps[i])
	}
	for i := range request.Secrets {
		objects = append(objects, &request.Secrets[i])
	}
	cluster := fake.NewClientBuilder().WithObjects(objects...).Build()
	for _, resource := range built.Resources() {
		result, err := kustomize.SubstituteVariables(context.Background(), cluster, object, resource,
			kustomize.SubstituteWithStrict(request.Strict),
			kustomize.SubstituteWithAlways(postBuild["substituteStrategy"] == "Always"))
		if err != nil {
			return err
		}
		if result != nil {
			if _, err = built.Replace(resource); err != nil {
				return err
			}
		}
	}
	return nil
}

