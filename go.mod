module github.com/tripplite-go/tripplite

go 1.24.0

require (
	github.com/alecthomas/kong v1.16.1 // indirect
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/karalabe/hid v1.0.1-0.20240306101548-573246063e52 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/stretchr/testify v1.11.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.41.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
