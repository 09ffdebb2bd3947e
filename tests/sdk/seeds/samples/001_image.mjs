// This will only work for SDK newer than 2.0.0
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({});
async function main() {
  const uploadedFile = await ai.files.upload({
      file: "path/to/organ.jpg",
      config: { mimeType: "image/jpeg" }
    });
  const interaction = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: [
        {type: "text", text: "Tell me about this instrument"},
        {
          type: "image",
          uri: uploadedFile.uri,
          mime_type: uploadedFile.mimeType
        }
      ],
    });
  console.log(interaction.steps.at(-1).content[0].text);
}
await main();
