"""The page's snippets for the older Python client take `genai` as imported and know one host only."""

import os
import runpy
import sys
import warnings

warnings.simplefilter("ignore")
import google.generativeai as genai

genai.configure(api_key="k", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
runpy.run_path(sys.argv[1], {"genai": genai})
