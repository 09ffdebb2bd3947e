# A text file goes up, becomes a cache, and is asked about: in the way of the documentation's shell samples.
MIME_TYPE=$(file -b --mime-type "${TEXT_PATH}")
NUM_BYTES=$(wc -c < "${TEXT_PATH}")
DISPLAY_NAME=TEXT
tmp_header_file=upload-header.tmp

curl "${BASE_URL}/upload/v1beta/files?key=${GOOGLE_API_KEY}" \
  -D upload-header.tmp \
  -H "X-Goog-Upload-Protocol: resumable" \
  -H "X-Goog-Upload-Command: start" \
  -H "X-Goog-Upload-Header-Content-Length: ${NUM_BYTES}" \
  -H "X-Goog-Upload-Header-Content-Type: ${MIME_TYPE}" \
  -H "Content-Type: application/json" \
  -d "{'file': {'display_name': '${DISPLAY_NAME}'}}" 2> /dev/null
upload_url=$(grep -i "x-goog-upload-url: " "${tmp_header_file}" | cut -d" " -f2 | tr -d "\r")
curl "${upload_url}" \
  -H "Content-Length: ${NUM_BYTES}" \
  -H "X-Goog-Upload-Offset: 0" \
  -H "X-Goog-Upload-Command: upload, finalize" \
  --data-binary "@${TEXT_PATH}" 2> /dev/null > file_info.json
file_uri=$(python3 -c 'import json; print(json.load(open("file_info.json"))["file"]["uri"])')

curl -X POST "${BASE_URL}/v1beta/cachedContents?key=${GOOGLE_API_KEY}" \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "models/gemini-1.5-flash-001",
    "contents": [{"parts": [{"file_data": {"mime_type": "'${MIME_TYPE}'", "file_uri": "'${file_uri}'"}}], "role": "user"}],
    "systemInstruction": {"parts": [{"text": "You are an expert at analyzing transcripts."}]},
    "ttl": "300s"
  }' 2> /dev/null > cache.json
CACHE_NAME=$(cat cache.json | grep '"name":' | cut -d '"' -f 4 | head -n 1)

curl -X POST "${BASE_URL}/v1beta/models/gemini-1.5-flash-001:generateContent?key=${GOOGLE_API_KEY}" \
  -H 'Content-Type: application/json' \
  -d '{
    "contents": [{"parts": [{"text": "Say hello"}], "role": "user"}],
    "cachedContent": "'${CACHE_NAME}'"
  }' 2> /dev/null
