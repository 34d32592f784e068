package sordini

import "github.com/sordini-go/sordini/internal/lograte"

// ForgetWarnings lets what was reported a moment ago be reported again. Nothing else may run.
func ForgetWarnings() { warned = lograte.Limiter{} }
