// google.golang.org/genai, as its documentation uses it: one line of JSON for each case named on
// the command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"

	"google.golang.org/genai"
)

type got map[string]any
type response = genai.GenerateContentResponse

var (
	ctx    = context.Background()
	client *genai.Client
	model  = "gemini-2.0-flash"
)

func ask(model, prompt string, config *genai.GenerateContentConfig) (*response, error) {
	return client.Models.GenerateContent(ctx, model, genai.Text(prompt), config)
}

func joined(stream iter.Seq2[*response, error]) (got, error) {
	text, chunks, finish := "", 0, ""
	for chunk, err := range stream {
		if err != nil {
			return nil, err
		}
		chunks++
		text += chunk.Text()
		if reason := chunk.Candidates[0].FinishReason; reason != "" {
			finish = string(reason)
		}
	}
	return got{"text": text, "chunks": chunks, "finish": finish}, nil
}

func refused(_ *response, err error) (got, error) {
	var e genai.APIError
	if !errors.As(err, &e) {
		return nil, fmt.Errorf("no APIError: %v", err)
	}
	return got{"error": got{"type": fmt.Sprintf("%T", e), "code": e.Code, "message": e.Message}}, nil
}

func text() (got, error) {
	r, err := ask(model, "Say hello", nil)
	if err != nil {
		return nil, err
	}
	return got{"text": r.Text()}, nil
}

func system() (got, error) {
	r, err := ask(model, "Hello there", &genai.GenerateContentConfig{
		SystemInstruction: genai.NewContentFromText("You are a parrot.", genai.RoleUser),
	})
	if err != nil {
		return nil, err
	}
	return got{"text": r.Text()}, nil
}

func stream() (got, error) {
	return joined(client.Models.GenerateContentStream(ctx, model, genai.Text("count to five"), nil))
}

var turns = []string{"I own 2 dogs.", "How many paws is that?"}

func chat() (got, error) {
	c, err := client.Chats.Create(ctx, model, nil, nil)
	if err != nil {
		return nil, err
	}
	texts := []string{}
	for _, message := range turns {
		r, err := c.SendMessage(ctx, genai.Part{Text: message})
		if err != nil {
			return nil, err
		}
		texts = append(texts, r.Text())
	}
	return got{"texts": texts, "history": len(c.History(true))}, nil
}

func chatStream(turns []string, config *genai.GenerateContentConfig) (got, error) {
	c, err := client.Chats.Create(ctx, model, config, nil)
	if err != nil {
		return nil, err
	}
	texts := []any{}
	for _, message := range turns {
		r, err := joined(c.SendMessageStream(ctx, genai.Part{Text: message}))
		if err != nil {
			return nil, err
		}
		texts = append(texts, r["text"])
	}
	said := 0
	for i, content := range c.History(true) { // each chunk is an entry of its own
		if i == 0 || c.History(true)[i-1].Role != content.Role {
			said++
		}
	}
	return got{"texts": texts, "history": said}, nil
}

func config() (got, error) {
	r, err := ask(model, "count to five", &genai.GenerateContentConfig{
		Temperature: genai.Ptr[float32](0.5), TopP: genai.Ptr[float32](0.9), TopK: genai.Ptr[float32](40),
		CandidateCount: 1, MaxOutputTokens: 800, StopSequences: []string{"three"},
		Seed: genai.Ptr[int32](7), PresencePenalty: genai.Ptr[float32](0.1),
		FrequencyPenalty: genai.Ptr[float32](-0.2), ResponseLogprobs: true, Logprobs: genai.Ptr[int32](2),
	})
	if err != nil {
		return nil, err
	}
	if len(r.Candidates[0].LogprobsResult.ChosenCandidates) == 0 {
		return nil, errors.New("no logprobs")
	}
	return got{"text": r.Text(), "finish": r.Candidates[0].FinishReason}, nil
}

func maxTokens() (got, error) {
	r, err := ask(model, "count to five", &genai.GenerateContentConfig{MaxOutputTokens: 2})
	if err != nil {
		return nil, err
	}
	return got{"finish": r.Candidates[0].FinishReason, "tokens": r.UsageMetadata.CandidatesTokenCount}, nil
}

func usage() (got, error) {
	r, err := ask(model, "count to five", nil)
	if err != nil {
		return nil, err
	}
	u := r.UsageMetadata
	return got{"prompt": u.PromptTokenCount, "candidates": u.CandidatesTokenCount, "total": u.TotalTokenCount}, nil
}

func count() (got, error) {
	n, err := client.Models.CountTokens(ctx, model, genai.Text("Say hello"), nil)
	if err != nil {
		return nil, err
	}
	r, err := ask(model, "Say hello", nil)
	if err != nil {
		return nil, err
	}
	return got{"total": n.TotalTokens, "prompt": r.UsageMetadata.PromptTokenCount}, nil
}

func modelsList() (got, error) {
	names := []string{}
	for m, err := range client.Models.All(ctx) {
		if err != nil {
			return nil, err
		}
		names = append(names, m.Name)
	}
	return got{"names": names}, nil
}

func modelsGet() (got, error) {
	m, err := client.Models.Get(ctx, model, nil)
	if err != nil {
		return nil, err
	}
	return got{"name": m.Name, "input_limit": m.InputTokenLimit, "output_limit": m.OutputTokenLimit}, nil
}

func smoke() (got, error) {
	prompt := genai.Text("Name three rivers.")
	config := &genai.GenerateContentConfig{
		MaxOutputTokens: 12, Seed: genai.Ptr[int32](7), Temperature: genai.Ptr[float32](1),
	}
	s, err := joined(client.Models.GenerateContentStream(ctx, model, prompt, config))
	if err != nil {
		return nil, err
	}
	first, err := client.Models.GenerateContent(ctx, model, prompt, config)
	if err != nil {
		return nil, err
	}
	second, err := client.Models.GenerateContent(ctx, model, prompt, config)
	if err != nil {
		return nil, err
	}
	return got{"text": first.Text(), "again": second.Text(), "streamed": s["text"], "chunks": s["chunks"]}, nil
}

var cases = map[string]func() (got, error){
	"text": text, "system": system, "stream": stream, "chat": chat,
	"chat_stream": func() (got, error) { return chatStream(turns, nil) },
	"remembers": func() (got, error) {
		return chatStream([]string{"My name is Ingeborg. Say hi.", "What is my name?"},
			&genai.GenerateContentConfig{Temperature: genai.Ptr[float32](0)})
	},
	"config": config, "max_tokens": maxTokens, "usage": usage, "count": count,
	"models_list": modelsList, "models_get": modelsGet,
	"not_found": func() (got, error) { return refused(ask("no-such-model", "hi", nil)) },
	"bad_argument": func() (got, error) {
		return refused(ask(model, "hi", &genai.GenerateContentConfig{Temperature: genai.Ptr[float32](9)}))
	},
	"exhausted": func() (got, error) { return refused(ask(model, "fault RESOURCE_EXHAUSTED", nil)) },
	"failed":    func() (got, error) { return refused(ask(model, "fault INTERNAL", nil)) },
	"smoke":     smoke,
}

func main() {
	if m := os.Getenv("MODEL"); m != "" {
		model = m
	}
	var err error
	client, err = genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: "test", Backend: genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: os.Getenv("BASE")},
	})
	if err != nil {
		panic(err)
	}
	for _, name := range os.Args[1:] {
		line := got{"case": name}
		if result, err := cases[name](); err != nil {
			line["broke"] = err.Error()
		} else {
			line["got"] = result
		}
		json.NewEncoder(os.Stdout).Encode(line)
	}
}
