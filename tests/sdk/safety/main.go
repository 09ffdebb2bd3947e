// google.golang.org/genai and safety settings: what is blocked, and how it is told.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"google.golang.org/genai"
)

var ctx = context.Background()

var config = &genai.GenerateContentConfig{SafetySettings: []*genai.SafetySetting{
	{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockMediumAndAbove},
	{Category: genai.HarmCategoryHateSpeech, Threshold: genai.HarmBlockThresholdBlockLowAndAbove},
}}

func ask(client *genai.Client, prompt string) *genai.GenerateContentResponse {
	response, err := client.Models.GenerateContent(ctx, "gemini-2.0-flash", genai.Text(prompt), config)
	if err != nil {
		log.Fatal(err)
	}
	return response
}

func main() {
	client, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "test", Backend: genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: os.Getenv("BASE")}})
	if err != nil {
		log.Fatal(err)
	}
	blocked, fine, bad := ask(client, "You idiot"), ask(client, "Say hello"), ask(client, "an insult")
	ratings, blockedFor := [][]string{}, []string{}
	for _, r := range fine.Candidates[0].SafetyRatings {
		ratings = append(ratings, []string{string(r.Category), string(r.Probability)})
	}
	for _, r := range bad.Candidates[0].SafetyRatings {
		if r.Blocked {
			blockedFor = append(blockedFor, string(r.Category))
		}
	}
	streamed, end := "", genai.FinishReason("")
	for chunk, err := range client.Models.GenerateContentStream(ctx, "gemini-2.0-flash", genai.Text("an insult"), config) {
		if err != nil {
			log.Fatal(err)
		}
		streamed += chunk.Text()
		end = chunk.Candidates[0].FinishReason
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"blocked": blocked.PromptFeedback.BlockReason, "text": fine.Text(), "ratings": ratings,
		"finish": bad.Candidates[0].FinishReason, "said": bad.Text(), "blockedFor": blockedFor,
		"streamed": streamed, "end": end,
	})
}
