package house

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// vague are names that say nothing of what is inside, so that anything goes in.
var vague = []string{
	"base", "common", "core", "helper", "helpers", "lib", "manager", "misc", "model",
	"models", "pkg", "service", "services", "shared", "types", "util", "utils",
}

func TestPackagesAndFilesHaveTellingNames(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
		for _, n := range []string{name, f.Name.Name} {
			if slices.Contains(vague, n) {
				t.Errorf("%s: %q says nothing of what is in it: name the noun it holds "+
					"or the verb it does", f.path, n)
			}
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	comments := map[string][]string{} // folder to the files with a package comment
	for _, f := range files(t) {
		if f.isTest {
			continue
		}
		found := comments[f.dir]
		if f.Doc != nil {
			found = append(found, f.path)
		}
		comments[f.dir] = found
	}
	for dir, found := range comments {
		switch len(found) {
		case 0:
			t.Errorf("%s: no package comment: say in doc.go what the package is for", dir)
		case 1:
		default:
			t.Errorf("%s: package comments in %s: keep one, and put an empty line between the "+
				"others and their package clause", dir, strings.Join(found, ", "))
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if f.isTest {
			continue
		}
		for _, d := range f.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s:%d: %s has no comment: say what the caller gets from it",
					f.path, line(name.Pos()), name.Name)
			}
		}
	}
}

// maxQueueNames keeps package queue one that can be read in an evening.
const maxQueueNames = 80

func TestQueueHasFewNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range files(t) {
		if f.dir != "queue" || f.isTest {
			continue
		}
		for _, d := range f.Decls {
			for _, n := range exported(d) {
				names = append(names, n.Name)
			}
		}
	}
	if len(names) > maxQueueNames {
		t.Errorf("package queue exports %d names, and %d are allowed: "+
			"leave one out, or move what needs only the public API to queue/<noun>\n%s",
			len(names), maxQueueNames, strings.Join(names, " "))
	}
}

// exported returns the names that a declaration exports: methods too, fields not.
func exported(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

// undocumented returns the exported names of a declaration that no comment
// explains. The comment of a group counts for all in it.
func undocumented(d ast.Decl) (names []*ast.Ident) {
	for _, n := range exported(d) {
		if !documented(d, n) {
			names = append(names, n)
		}
	}
	return names
}

// documented reports whether a comment explains a name of a declaration.
func documented(d ast.Decl, name *ast.Ident) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc != nil
	case *ast.GenDecl:
		if d.Doc != nil {
			return true
		}
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name == name {
					return s.Doc != nil
				}
			case *ast.ValueSpec:
				if slices.Contains(s.Names, name) {
					return s.Doc != nil || s.Comment != nil
				}
			}
		}
	}
	return false
}

// receiver returns the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr: // with a type parameter
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
