// What page 004's snippets for the older Go client take for granted: its imports, a client, and
// printResponse, as the client's own examples have it. The snippet stands where SAMPLE does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/google/generative-ai-go/genai"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

var _, _, _, _ = json.Unmarshal, iterator.Done, filepath.Join, time.Sleep // not every snippet needs them

const testDataDir = "."

func printResponse(resp *genai.GenerateContentResponse) {
	for _, cand := range resp.Candidates {
		if cand.Content != nil {
			for _, part := range cand.Content.Parts {
				fmt.Println(part)
			}
		}
	}
	fmt.Println("---")
}

func main() {
	ctx := context.Background()
	client, err := genai.NewClient(ctx, option.WithAPIKey(os.Getenv("GEMINI_API_KEY")),
		option.WithEndpoint(os.Getenv("BASE")))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	run(ctx, client)
}

func run(ctx context.Context, client *genai.Client) {
	// SAMPLE
}
