// Where the JSON schema of SARIF 2.1.0 comes from: this module has it word for word.
module drift-reporter.invalid/sarif-schema

go 1.24

require github.com/owenrumney/go-sarif/v3 v3.3.0
