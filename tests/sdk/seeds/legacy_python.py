"""The page's snippets for the older Python client take `genai` and a folder of media as given, and know one host only."""

import os
import pathlib
import runpy
import sys
import warnings

warnings.simplefilter("ignore")
import google.generativeai as genai
from google.generativeai import client

client.GENAI_API_DISCOVERY_URL = os.environ["BASE"] + "/$discovery/rest"  # how it finds out where uploads go
genai.configure(api_key="k", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
runpy.run_path(sys.argv[1], {"genai": genai, "media": pathlib.Path(os.environ["MEDIA"])})
