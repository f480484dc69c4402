// Package lang is the one expression language of Responder: expr-lang/expr
// with calm nil, text templates with {{ expr }}, the helpers, JSONPath for
// flows written for the original, and YAML with positions, so that every
// problem is shown with file, line, column and caret.
//
// It imports the root package, expr, yaml.v3 and a JSONPath library; stages
// and actions import it.
package lang
