"""One side of a benchmark: Chinese-CLIP's exported ONNX files in ONNX Runtime, behind the protocol of the clip example.

  clip.py immich|raw IMAGE.onnx TEXT.onnx

immich: as Immich's machine-learning server does it, one session of two intra-op threads shared by two requests at a time.
raw: two sessions of one thread, pictures prepared beforehand, nothing but the network.

Reads {"pictures": [files]} or {"tokens": [[ids]]} per line, answers {"seconds"}.
"""

import json
import sys
import threading
import time

import numpy as np
import onnxruntime as ort
from PIL import Image

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def prepare(path, side):
    picture = Image.open(path).resize((side, side), Image.BICUBIC).convert("RGB")
    values = np.asarray(picture, np.float32) / np.float32(255)
    return np.ascontiguousarray(((values - MEAN) / STD).transpose(2, 0, 1)[None])


def in_two_threads(work, items):
    rest = iter(items)
    lock = threading.Lock()

    def worker(index):
        while True:
            with lock:
                item = next(rest, None)
            if item is None:
                return
            work(index, item)

    threads = [threading.Thread(target=worker, args=(index,)) for index in range(2)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def main():
    mode, image, text = sys.argv[1:]
    if mode == "immich":
        images, texts = [session(image, 2)] * 2, [session(text, 2)] * 2
    else:
        images, texts = [session(image, 1) for _ in range(2)], [session(text, 1) for _ in range(2)]
    side = images[0].get_inputs()[0].shape[2]
    for line in sys.stdin:
        order = json.loads(line)
        if "tokens" in order:
            items = [np.array([ids], np.int64) for ids in order["tokens"]]
            seconds = in_two_threads(lambda index, ids: texts[index].run(None, {"text": ids}), items)
        elif mode == "raw":
            ready = {path: prepare(path, side) for path in set(order["pictures"])}
            items = [ready[path] for path in order["pictures"]]
            seconds = in_two_threads(lambda index, item: images[index].run(None, {"image": item}), items)
        else:
            run = lambda index, path: images[index].run(None, {"image": prepare(path, side)})
            seconds = in_two_threads(run, order["pictures"])
        print(json.dumps({"seconds": seconds}), flush=True)


main()
