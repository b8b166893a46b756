"""One side of a benchmark: a Python peer, with its own defaults, behind the protocol of the throughput example.

  ocr.py rapidocr|faster-paddle

Reads {"files": [...]} per line, answers {"seconds", "results": [{"file", "lines": [{"text", "score", "box"}]}]}.
"""

import json
import logging
import sys
import time

logging.disable(logging.CRITICAL)


def rapidocr():
    from rapidocr import RapidOCR

    engine = RapidOCR()

    def read(path):
        found = engine(path)
        if found.txts is None:
            return []
        return [
            {"text": text, "score": float(score), "box": box.tolist()}
            for text, score, box in zip(found.txts, found.scores, found.boxes)
        ]

    return read


def faster_paddle():
    import faster_paddle

    engine = faster_paddle.OcrEngine(model_size="small")

    def corners(bounds):
        (left, top), (right, bottom) = bounds["topLeftCoord"], bounds["bottomRightCoord"]
        return [[left, top], [right, top], [right, bottom], [left, bottom]]

    def read(path):
        with open(path, "rb") as file:
            found = engine.ocr(file.read())
        return [
            {"text": bounds["text"], "score": float(bounds["confidence"]), "box": corners(bounds)}
            for bounds in found["bounds"].values()
        ]

    return read


def main():
    read = {"rapidocr": rapidocr, "faster-paddle": faster_paddle}[sys.argv[1]]()
    for line in sys.stdin:
        results, seconds = [], 0.0
        for path in json.loads(line)["files"]:
            started = time.perf_counter()
            try:
                lines = read(path)
            except Exception:  # A picture that a peer cannot read has no lines.
                lines = []
            seconds += time.perf_counter() - started
            results.append({"file": path, "lines": lines})
        print(json.dumps({"seconds": seconds, "results": results}), flush=True)


main()
