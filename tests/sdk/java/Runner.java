// com.google.genai, as its documentation uses it: one line of JSON for each case named on the
// command line.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.genai.Chat;
import com.google.genai.Client;
import com.google.genai.ResponseStream;
import com.google.genai.errors.ApiException;
import com.google.genai.types.Content;
import com.google.genai.types.EmbedContentConfig;
import com.google.genai.types.FunctionCall;
import com.google.genai.types.FunctionCallingConfig;
import com.google.genai.types.FunctionDeclaration;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.GenerateContentResponse;
import com.google.genai.types.HttpOptions;
import com.google.genai.types.HttpRetryOptions;
import com.google.genai.types.Part;
import com.google.genai.types.Schema;
import com.google.genai.types.ThinkingConfig;
import com.google.genai.types.Tool;
import com.google.genai.types.ToolConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

public final class Runner {
    private static final String MODEL = System.getenv().getOrDefault("MODEL", "gemini-2.0-flash");
    private static final List<String> TURNS = List.of("I own 2 dogs.", "How many paws is that?");
    private static final Client client = Client.builder()
            .apiKey("test")
            .httpOptions(HttpOptions.builder()
                    .baseUrl(System.getenv("BASE"))
                    // By default it tries four times more, for half a minute.
                    .retryOptions(HttpRetryOptions.builder().attempts(1).build())
                    .build())
            .build();

    private static GenerateContentResponse ask(String prompt, GenerateContentConfig config) {
        return client.models.generateContent(MODEL, prompt, config);
    }

    private static Map<String, Object> joined(ResponseStream<GenerateContentResponse> stream) {
        StringBuilder text = new StringBuilder();
        int chunks = 0;
        String finish = "";
        for (GenerateContentResponse chunk : stream) {
            chunks++;
            text.append(chunk.text() == null ? "" : chunk.text());
            finish = chunk.candidates().get().get(0).finishReason().map(Object::toString).orElse(finish);
        }
        stream.close();
        return Map.of("text", text.toString(), "chunks", chunks, "finish", finish);
    }

    private static Map<String, Object> refused(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (ApiException e) {
            return Map.of("error", Map.of(
                    "type", e.getClass().getSimpleName(), "code", e.code(), "message", e.message()));
        }
        throw new IllegalStateException("no error came");
    }

    private static Map<String, Object> chat() {
        Chat chat = client.chats.create(MODEL);
        List<String> texts = new ArrayList<>();
        for (String message : TURNS) {
            texts.add(chat.sendMessage(message).text());
        }
        return Map.of("texts", texts, "history", chat.getHistory(true).size());
    }

    private static Map<String, Object> chatStream(List<String> turns, GenerateContentConfig config) {
        Chat chat = client.chats.create(MODEL, config);
        List<Object> texts = new ArrayList<>();
        for (String message : turns) {
            texts.add(joined(chat.sendMessageStream(message)).get("text"));
        }
        int said = 0;
        String role = "";
        for (Object entry : chat.getHistory(true)) { // each chunk may be an entry of its own
            String now = ((Content) entry).role().orElse("user");
            said += now.equals(role) ? 0 : 1;
            role = now;
        }
        return Map.of("texts", texts, "history", said);
    }

    private static Map<String, Object> config() {
        GenerateContentResponse got = ask("count to five", GenerateContentConfig.builder()
                .temperature(0.5f).topP(0.9f).topK(40f).candidateCount(1).maxOutputTokens(800)
                .stopSequences("three").seed(7).presencePenalty(0.1f).frequencyPenalty(-0.2f)
                .responseLogprobs(true).logprobs(2).build());
        if (got.candidates().get().get(0).logprobsResult().isEmpty()) {
            throw new IllegalStateException("no logprobs");
        }
        return Map.of("text", got.text(), "finish", got.finishReason().toString());
    }

    private static Map<String, Object> usage() {
        var u = ask("count to five", null).usageMetadata().get();
        return Map.of("prompt", u.promptTokenCount().get(), "candidates", u.candidatesTokenCount().get(),
                "total", u.totalTokenCount().get());
    }

    private static Map<String, Object> maxTokens() {
        GenerateContentResponse got = ask("count to five",
                GenerateContentConfig.builder().maxOutputTokens(2).build());
        return Map.of("finish", got.finishReason().toString(),
                "tokens", got.usageMetadata().get().candidatesTokenCount().get());
    }

    private static List<List<Float>> vectors(EmbedContentConfig config, String... texts) {
        return client.models.embedContent("gemini-embedding-001", List.of(texts), config)
                .embeddings().get().stream().map(e -> e.values().get()).toList();
    }

    private static Map<String, Object> embed() {
        EmbedContentConfig shorter = EmbedContentConfig.builder()
                .taskType("RETRIEVAL_DOCUMENT").title("Tides").outputDimensionality(8).build();
        return Map.of("one", vectors(null, "What is the meaning of life?").get(0),
                "many", vectors(null, "What is the meaning of life?", "What is the purpose of existence?"),
                "short", vectors(shorter, "The tide is high.").get(0));
    }

    private static Map<String, Object> modelsList() {
        List<String> names = new ArrayList<>();
        client.models.list(null).forEach(m -> names.add(m.name().get()));
        return Map.of("names", names);
    }

    private static Map<String, Object> modelsGet() {
        var m = client.models.get(MODEL, null);
        return Map.of("name", m.name().get(), "input_limit", m.inputTokenLimit().get(),
                "output_limit", m.outputTokenLimit().get());
    }

    private static final String QUESTION = "How high is the tide in Bergen at 9?";

    private static GenerateContentConfig.Builder withTools(String... others) {
        List<FunctionDeclaration> declarations = new ArrayList<>();
        declarations.add(FunctionDeclaration.builder().name("get_tide").description("Tells the height of the tide.")
                .parameters(Schema.builder().type("OBJECT").required(List.of("harbour")).properties(Map.of(
                        "harbour", Schema.builder().type("STRING").build(),
                        "hour_of_day", Schema.builder().type("INTEGER").build())).build())
                .build());
        for (String other : others) {
            declarations.add(FunctionDeclaration.builder().name(other).build());
        }
        return GenerateContentConfig.builder()
                .tools(List.of(Tool.builder().functionDeclarations(declarations).build()));
    }

    private static Content tideOf(FunctionCall call) {
        return Content.fromParts(Part.fromFunctionResponse(call.name().get(), Map.of("height_in_cm", 134)));
    }

    private static Map<String, Object> functionChat() {
        Chat chat = client.chats.create(MODEL, withTools().build());
        FunctionCall call = chat.sendMessage(QUESTION).functionCalls().get(0);
        String told = chat.sendMessage(tideOf(call)).text();
        String last = chat.sendMessage("Say hello").text();
        return Map.of("texts", List.of(told, last), "text", told, "called", call.args().get(),
                "history", chat.getHistory(true).size());
    }

    private static Map<String, Object> functionStream() {
        Chat chat = client.chats.create(MODEL, withTools().build());
        FunctionCall call = null;
        ResponseStream<GenerateContentResponse> stream = chat.sendMessageStream(QUESTION);
        for (GenerateContentResponse chunk : stream) {
            if (chunk.functionCalls() != null && !chunk.functionCalls().isEmpty()) {
                call = chunk.functionCalls().get(0);
            }
        }
        stream.close();
        var told = joined(chat.sendMessageStream(tideOf(call)));
        return Map.of("text", told.get("text"), "called", call.args().get());
    }

    private static Map<String, Object> forced() {
        FunctionCall call = ask(QUESTION, withTools("get_wind").toolConfig(ToolConfig.builder()
                .functionCallingConfig(FunctionCallingConfig.builder().mode("ANY")
                        .allowedFunctionNames(List.of("get_tide")).build()).build()).build())
                .functionCalls().get(0);
        return Map.of("name", call.name().get(), "args", call.args().get(), "id", call.id().get());
    }

    private static Map<String, Object> jsonSchema() throws Exception {
        String text = ask("List popular cookie recipes", GenerateContentConfig.builder()
                .responseMimeType("application/json")
                .responseSchema(Schema.builder().type("ARRAY").items(Schema.builder().type("OBJECT").properties(Map.of(
                        "recipeName", Schema.builder().type("STRING").build(),
                        "minutes", Schema.builder().type("INTEGER").build())).build()).build())
                .build()).text();
        return Map.of("parsed", new ObjectMapper().readValue(text, Object.class));
    }

    private static Map<String, Object> choice() {
        return Map.of("text", ask("Is a tomato a fruit?", GenerateContentConfig.builder()
                .responseMimeType("text/x.enum")
                .responseSchema(Schema.builder().type("STRING").format("enum")
                        .enum_(List.of("fruit", "vegetable")).build())
                .build()).text());
    }

    private static Map<String, Object> thoughts() {
        GenerateContentResponse got = ask("Think it over", GenerateContentConfig.builder()
                .thinkingConfig(ThinkingConfig.builder().includeThoughts(true).thinkingBudget(64).build()).build());
        StringBuilder thought = new StringBuilder();
        for (Part part : got.parts()) {
            if (part.thought().orElse(false)) {
                thought.append(part.text().orElse(""));
            }
        }
        return Map.of("thought", thought.toString(), "text", got.text(),
                "tokens", got.usageMetadata().get().thoughtsTokenCount().get());
    }

    private static Map<String, Object> smoke() {
        String prompt = "Name three rivers.";
        GenerateContentConfig config = GenerateContentConfig.builder()
                .maxOutputTokens(12).seed(7).temperature(1f).build();
        var streamed = joined(client.models.generateContentStream(MODEL, prompt, config));
        return Map.of("text", ask(prompt, config).text(), "again", ask(prompt, config).text(),
                "streamed", streamed.get("text"), "chunks", streamed.get("chunks"));
    }

    private static Map<String, Object> run(String name) throws Exception {
        return switch (name) {
            case "text" -> Map.of("text", ask("Say hello", null).text());
            case "system" -> Map.of("text", ask("Hello there", GenerateContentConfig.builder()
                    .systemInstruction(Content.fromParts(Part.fromText("You are a parrot."))).build()).text());
            case "stream" -> joined(client.models.generateContentStream(MODEL, "count to five", null));
            case "chat" -> chat();
            case "chat_stream" -> chatStream(TURNS, null);
            case "remembers" -> chatStream(List.of("My name is Ingeborg. Say hi.", "What is my name?"),
                    GenerateContentConfig.builder().temperature(0f).build());
            case "config" -> config();
            case "max_tokens" -> maxTokens();
            case "usage" -> usage();
            case "count" -> Map.of(
                    "total", client.models.countTokens(MODEL, "Say hello", null).totalTokens().get(),
                    "prompt", ask("Say hello", null).usageMetadata().get().promptTokenCount().get());
            case "embed" -> embed();
            case "models_list" -> modelsList();
            case "models_get" -> modelsGet();
            case "not_found" -> refused(() -> client.models.generateContent("no-such-model", "hi", null));
            case "bad_argument" -> refused(() -> ask("hi",
                    GenerateContentConfig.builder().temperature(9f).build()));
            case "exhausted" -> refused(() -> ask("fault RESOURCE_EXHAUSTED", null));
            case "failed" -> refused(() -> ask("fault INTERNAL", null));
            case "functions", "function_chat" -> functionChat();
            case "function_stream" -> functionStream();
            case "forced" -> forced();
            case "json_schema" -> jsonSchema();
            case "enum" -> choice();
            case "thoughts" -> thoughts();
            case "smoke" -> smoke();
            default -> throw new IllegalArgumentException(name);
        };
    }

    public static void main(String[] names) throws Exception {
        ObjectMapper json = new ObjectMapper();
        for (String name : names) {
            Map<String, Object> line = new HashMap<>(Map.of("case", name));
            try {
                line.put("got", run(name));
            } catch (Exception e) {
                line.put("broke", e.toString());
            }
            System.out.println(json.writeValueAsString(line));
        }
        System.exit(0); // the client's threads would keep it for a minute
    }
}
