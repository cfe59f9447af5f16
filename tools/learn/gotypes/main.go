// Lists, for every API type in the Go packages below some folders, the JSON names of the fields that are pointers.
//
// The server keeps a pointer to a zero value apart from no value; of any other field, it drops the zero value.
package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A structure is one struct type with what is needed to find the types that it embeds.
type structure struct {
	fields  *ast.FieldList
	imports map[string]string
	path    string
}

type index struct {
	// By import path and type name.
	structures map[string]structure
	// The schema type that each stands for.
	models map[string]string
	// Types that are another type by a new name.
	others map[string]string
}

func main() {
	log.SetFlags(0)
	found := index{structures: map[string]structure{}, models: map[string]string{}, others: map[string]string{}}
	// Each argument: MODULE=FOLDER.
	for _, argument := range os.Args[1:] {
		module, folder, _ := strings.Cut(argument, "=")
		if err := found.read(module, folder); err != nil {
			log.Fatal(err)
		}
	}
	pointers := map[string][]string{}
	for name, model := range found.models {
		if _, known := found.structures[name]; known {
			fields := found.pointers(name)
			slices.Sort(fields)
			pointers[model] = slices.Compact(fields)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(pointers); err != nil {
		log.Fatal(err)
	}
}

func (x *index) read(module, folder string) error {
	return filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "testapigroup") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(folder, filepath.Dir(file))
		if err != nil {
			return err
		}
		x.add(filepath.ToSlash(filepath.Join(module, below)), parsed)
		return nil
	})
}

func (x *index) add(path string, file *ast.File) {
	imports := map[string]string{}
	for _, spec := range file.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := target[strings.LastIndex(target, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = target
	}
	for _, declaration := range file.Decls {
		switch declared := declaration.(type) {
		case *ast.GenDecl:
			for _, spec := range declared.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					switch body := named.Type.(type) {
					case *ast.StructType:
						x.structures[path+"."+named.Name.Name] = structure{body.Fields, imports, path}
					case *ast.InterfaceType:
						// Has no fields; only types that are no part of the API embed one.
						x.structures[path+"."+named.Name.Name] = structure{&ast.FieldList{}, imports, path}
					case *ast.Ident, *ast.SelectorExpr:
						x.others[path+"."+named.Name.Name] = qualified(path, imports, body)
					}
				}
			}
		case *ast.FuncDecl:
			x.addModel(path, declared)
		}
	}
}

// addModel notes a type's schema name, which a generated method returns as a literal.
func (x *index) addModel(path string, method *ast.FuncDecl) {
	if method.Name.Name != "OpenAPIModelName" || method.Recv == nil || len(method.Body.List) != 1 {
		return
	}
	receiver, ok := method.Recv.List[0].Type.(*ast.Ident)
	if !ok {
		return
	}
	if returned, ok := method.Body.List[0].(*ast.ReturnStmt); ok {
		if literal, ok := returned.Results[0].(*ast.BasicLit); ok {
			x.models[path+"."+receiver.Name], _ = strconv.Unquote(literal.Value)
		}
	}
}

func (x *index) pointers(name string) []string {
	found := []string{}
	body := x.structures[name]
	for _, field := range body.fields.List {
		tag := ""
		if field.Tag != nil {
			text, _ := strconv.Unquote(field.Tag.Value)
			tag = reflect.StructTag(text).Get("json")
		}
		jsonName, options, _ := strings.Cut(tag, ",")
		if len(field.Names) == 0 && strings.Contains(options, "inline") {
			found = append(found, x.pointers(x.embedded(body, field.Type))...)
			continue
		}
		if _, isPointer := field.Type.(*ast.StarExpr); isPointer && jsonName != "" && jsonName != "-" {
			found = append(found, jsonName)
		}
	}
	return found
}

// embedded returns the name of an embedded struct; it must be one that was read.
func (x *index) embedded(within structure, kind ast.Expr) string {
	name := qualified(within.path, within.imports, kind)
	for x.others[name] != "" {
		name = x.others[name]
	}
	if _, known := x.structures[name]; !known {
		log.Fatalf("%s: embeds %s, which was not read", within.path, name)
	}
	return name
}

// qualified returns the import path and the name of a type.
func qualified(path string, imports map[string]string, kind ast.Expr) string {
	switch named := kind.(type) {
	case *ast.SelectorExpr:
		return imports[named.X.(*ast.Ident).Name] + "." + named.Sel.Name
	case *ast.Ident:
		return path + "." + named.Name
	}
	return ""
}
