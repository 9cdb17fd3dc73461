// Doubles a number, but every twentieth.
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
)

type row struct {
	N int `json:"n"`
}

type answer struct {
	Language string `json:"language"`
	Twice    int    `json:"twice"`
}

func main() {
	lambda.Start(func(_ context.Context, asked row) (*answer, error) {
		if asked.N%20 == 0 {
			return nil, fmt.Errorf("%d can't be doubled", asked.N)
		}
		return &answer{"go", 2 * asked.N}, nil
	})
}
