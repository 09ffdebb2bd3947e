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

func vectors(config *genai.EmbedContentConfig, texts ...string) ([][]float32, error) {
	contents := []*genai.Content{}
	for _, text := range texts {
		contents = append(contents, genai.NewContentFromText(text, genai.RoleUser))
	}
	r, err := client.Models.EmbedContent(ctx, "gemini-embedding-001", contents, config)
	if err != nil {
		return nil, err
	}
	found := [][]float32{}
	for _, e := range r.Embeddings {
		found = append(found, e.Values)
	}
	return found, nil
}

func embed() (got, error) {
	one, err := vectors(nil, "What is the meaning of life?")
	if err != nil {
		return nil, err
	}
	many, err := vectors(nil, "What is the meaning of life?", "What is the purpose of existence?")
	if err != nil {
		return nil, err
	}
	short, err := vectors(&genai.EmbedContentConfig{TaskType: "RETRIEVAL_DOCUMENT", Title: "Tides",
		OutputDimensionality: genai.Ptr[int32](8)}, "The tide is high.")
	if err != nil {
		return nil, err
	}
	return got{"one": one[0], "many": many, "short": short[0]}, nil
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

const question = "How high is the tide in Bergen at 9?"

var getTide = &genai.FunctionDeclaration{
	Name: "get_tide", Description: "Tells the height of the tide.",
	Parameters: &genai.Schema{Type: genai.TypeObject, Required: []string{"harbour"}, Properties: map[string]*genai.Schema{
		"harbour": {Type: genai.TypeString}, "hour_of_day": {Type: genai.TypeInteger},
	}},
}

func withTools(declarations ...*genai.FunctionDeclaration) *genai.GenerateContentConfig {
	return &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: declarations}}}
}

func tideOf(call *genai.FunctionCall) genai.Part {
	return genai.Part{FunctionResponse: &genai.FunctionResponse{
		ID: call.ID, Name: call.Name, Response: map[string]any{"height_in_cm": 134},
	}}
}

func functionChat() (got, error) {
	c, err := client.Chats.Create(ctx, model, withTools(getTide), nil)
	if err != nil {
		return nil, err
	}
	asked, err := c.SendMessage(ctx, genai.Part{Text: question})
	if err != nil {
		return nil, err
	}
	call := asked.FunctionCalls()[0]
	told, err := c.SendMessage(ctx, tideOf(call))
	if err != nil {
		return nil, err
	}
	last, err := c.SendMessage(ctx, genai.Part{Text: "Say hello"})
	if err != nil {
		return nil, err
	}
	return got{"texts": []string{told.Text(), last.Text()}, "text": told.Text(), "called": call.Args,
		"history": len(c.History(true))}, nil
}

func functionStream() (got, error) {
	c, err := client.Chats.Create(ctx, model, withTools(getTide), nil)
	if err != nil {
		return nil, err
	}
	var call *genai.FunctionCall
	for chunk, err := range c.SendMessageStream(ctx, genai.Part{Text: question}) {
		if err != nil {
			return nil, err
		}
		for _, found := range chunk.FunctionCalls() {
			call = found
		}
	}
	told, err := joined(c.SendMessageStream(ctx, tideOf(call)))
	if err != nil {
		return nil, err
	}
	return got{"text": told["text"], "called": call.Args}, nil
}

func forced() (got, error) {
	config := withTools(getTide, &genai.FunctionDeclaration{Name: "get_wind"})
	config.ToolConfig = &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{
		Mode: genai.FunctionCallingConfigModeAny, AllowedFunctionNames: []string{"get_tide"},
	}}
	r, err := ask(model, question, config)
	if err != nil {
		return nil, err
	}
	call := r.FunctionCalls()[0]
	return got{"name": call.Name, "args": call.Args, "id": call.ID}, nil
}

func jsonSchema() (got, error) {
	r, err := ask(model, "List popular cookie recipes", &genai.GenerateContentConfig{
		ResponseMIMEType: "application/json",
		ResponseSchema: &genai.Schema{Type: genai.TypeArray, Items: &genai.Schema{
			Type: genai.TypeObject, PropertyOrdering: []string{"recipeName", "minutes"},
			Properties: map[string]*genai.Schema{
				"recipeName": {Type: genai.TypeString}, "minutes": {Type: genai.TypeInteger, Minimum: genai.Ptr(0.0)},
			},
		}},
	})
	if err != nil {
		return nil, err
	}
	var parsed any
	err = json.Unmarshal([]byte(r.Text()), &parsed)
	return got{"parsed": parsed}, err
}

func enum() (got, error) {
	r, err := ask(model, "Is a tomato a fruit?", &genai.GenerateContentConfig{
		ResponseMIMEType: "text/x.enum",
		ResponseSchema:   &genai.Schema{Type: genai.TypeString, Format: "enum", Enum: []string{"fruit", "vegetable"}},
	})
	if err != nil {
		return nil, err
	}
	return got{"text": r.Text()}, nil
}

func thoughts() (got, error) {
	r, err := ask(model, "Think it over", &genai.GenerateContentConfig{
		ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](64)},
	})
	if err != nil {
		return nil, err
	}
	thought := ""
	for _, part := range r.Candidates[0].Content.Parts {
		if part.Thought {
			thought += part.Text
		}
	}
	return got{"thought": thought, "text": r.Text(), "tokens": r.UsageMetadata.ThoughtsTokenCount}, nil
}

var cases = map[string]func() (got, error){
	"functions": functionChat, "function_chat": functionChat, "function_stream": functionStream,
	"forced": forced, "json_schema": jsonSchema, "enum": enum, "thoughts": thoughts,
	"text": text, "system": system, "stream": stream, "chat": chat,
	"chat_stream": func() (got, error) { return chatStream(turns, nil) },
	"remembers": func() (got, error) {
		return chatStream([]string{"My name is Ingeborg. Say hi.", "What is my name?"},
			&genai.GenerateContentConfig{Temperature: genai.Ptr[float32](0)})
	},
	"config": config, "max_tokens": maxTokens, "usage": usage, "count": count, "embed": embed,
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
