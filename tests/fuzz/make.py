#!/usr/bin/env python3
"""Writes the seeds of tests/fuzz/corpus that are made up: `seed-*`. Networks `test-*` were written by the tests of crates/convert,
`onnx/seed-probe` is a model of tests/fixtures. Findings stand beside them under names that say what they do.

The pictures of tests/fixtures/image are seeds too, where the table of targets says so.
"""
import io, json, pathlib, struct, tarfile, zipfile

CORPUS = pathlib.Path(__file__).parent / "corpus"


def put(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content if isinstance(content, bytes) else content.encode())


def form(parts, boundary="b0"):
    body = b""
    for head, content in parts:
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}\n".encode() + body + f"--{boundary}--\r\n".encode()


FIELD = 'Content-Disposition: form-data; name="entries"'
FILE = 'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg'
put("multipart", "predict", form([(FIELD, b'{"ocr":{}}'), (FILE, b"\xff\xd8\xff\xe0")]))
put("multipart", "quoted", form([(FIELD, b"x")], "b0").replace(b"boundary=b0", b'charset=utf-8; boundary="b0"'))
put("multipart", "star", form([("content-disposition:form-data; filename*=UTF-8''a%20b; name=file", b"--b0x\r\n")]))
put("multipart", "escaped", b"Multipart/Form-Data;boundary=b0\npreamble\r\n--b0 \t\r\nX: y\r\nContent-Disposition: form-data; "
    b'name="a\\"b"; filename="c\\d"\r\n\r\n\r\n--b0\r\n--b0--epilogue')
put("multipart", "empty", "multipart/form-data; boundary=b0\n--b0--")
put("multipart", "json", "application/json\n{}")

both = {"detection": {"modelName": "d", "options": {"minScore": 0.5, "maxResolution": 736, "scoreMode": "slow"}},
        "recognition": {"modelName": "r", "options": {"minScore": 0.9}}}
put("entries", "ocr", json.dumps({"ocr": both}))
put("entries", "faces", json.dumps({"facial-recognition": {"detection": {"modelName": "buffalo_l", "options": {"minScore": 0.034}},
                                                           "recognition": {"modelName": "buffalo_l"}}}))
# As trees, these would take thirty to eighty times their length.
put("entries", "wide", '{"clip":{"visual":{"modelName":"m","options":{"language":[' + "[]," * 5000 + "0]}}}}")
put("entries", "sparse", '{"clip":{"visual":{"modelName":"m","a":[' + '{"a":0},' * 1800 + "0]}}}")
put("entries", "long", '{"clip":{"visual":{"modelName":"' + "x" * 15000 + '"}}}')
put("entries", "steep", '{"clip":{"visual":' + '{"a":' * 3000)
put("entries", "clip", json.dumps({"clip": {"visual": {"modelName": "ViT-B-32__openai"}}}))
put("entries", "sentence", json.dumps({"clip": {"textual": {"modelName": "n", "options": {"language": "zh-CN"}}}}))
put("entries", "legacy", json.dumps({"ocr": {"recognition": {"modelName": "ocr"}}}))
put("entries", "all", json.dumps({"clip": {"visual": {"modelName": "a"}, "textual": {"modelName": "b", "options": {}}},
                                  "ocr": both, "facial-recognition": {"detection": {"modelName": "c"}}}))
put("entries", "unknown", json.dumps({"pets": {"detection": {"modelName": "x", "options": None}}}))
put("entries", "deep", '{"ocr":' + "[" * 140 + "]" * 140 + "}")

put("sentence", "text", json.dumps({"text": "一只猫 a cat \U0001f408", "more": [1, {}]}))
put("sentence", "null", json.dumps({"text": None}))
put("sentence", "twice", '{"text":"a","text":"b\\u00e9\\ud83d\\udc08"}')
put("sentence", "broken", '{"text":\n"a')

vector = "[0.1,-2e-3,3]"
put("replies", "clip", json.dumps({"clip": vector, "imageHeight": 3, "imageWidth": 4}))
put("replies", "faces", json.dumps({"facial-recognition": [{"boundingBox": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "embedding": vector,
                                                            "score": 0.9}], "imageHeight": 3, "imageWidth": 4}))
put("replies", "detected", json.dumps({"facial-recognition": {"boxes": [[1, 2, 3, 4]], "scores": [0.5], "landmarks": [[[1, 2]] * 5]},
                                       "imageHeight": 3, "imageWidth": 4}))
put("replies", "ocr", json.dumps({"ocr": {"text": ["ab"], "box": [0, 0, 1, 0, 1, 1, 0, 1], "boxScore": [0.5], "textScore": [0.75]},
                                  "imageHeight": 3, "imageWidth": 4}))
put("replies", "regions", json.dumps({"ocr": {"boxes": [[[0, 0], [1, 0], [1, 1], [0, 1]]], "scores": [0.5]}, "imageHeight": 3, "imageWidth": 4}))
put("replies", "greeting", json.dumps({"message": "Immich ML"}))
put("replies", "mt-text", json.dumps({"result": {"texts": ["a"], "scores": ["0.97"], "boxes": [
    {"x": "1.5", "y": "2", "width": "-3", "height": "4"}]}}))
put("replies", "mt-faces", json.dumps({"detector_backend": "insightface", "result": [{"embedding": [0.6, "0.8"], "facial_area": {
    "x": 1, "y": 2, "w": 3, "h": 4}, "face_confidence": 0.9}]}))
put("replies", "mt-vector", json.dumps({"results": ["0.1", "1e-7"]}))
put("replies", "mt-failed", json.dumps({"result": [], "msg": "no"}))
put("replies", "mt-check", json.dumps({"result": "pass", "title": "t"}))

put("query", "words", "beach sunset -coffee -\"iced tea\"")
put("query", "filters", "path:2024/trip after:2023-05 before:2024.12.31 person:\"Ana Ruiz\" invoice")
put("query", "chinese", "ＯＣＲ：发票\u3000号码 “注意 安全” after:２０２４－０５ －咖啡")
put("query", "scopes", "Clip: red ocr: 5 ocr:「駐車禁止」 «a b» clip:\"a cat\"")
put("query", "signs", "14:30 5\" -645.83 - - status: Paid")
put("query", "long", "word " * 201)

SEARCHES = [
    (0, {"query": "a cat", "language": "en", "page": 2, "size": 10, "withExif": True, "type": "IMAGE"}),
    (0, {"query": "ocr:发票 -x", "city": None, "make": "Canon", "rating": None, "tagIds": None, "libraryId": None,
         "takenAfter": "2024-01-01", "takenBefore": "2024-02-01T10:00:00.000+02:00", "isVisible": True}),
    (1, {"ocr": "hello", "withPeople": True, "personIds": ["5b4cab2a-607b-4054-a512-8f31a3c3e07e"], "visibility": "locked",
         "checksum": "a", "originalFileName": "b", "order": "asc"}),
    (1, {"filter": {"ocr": {"matches": "a \"b\""}, "city": {"eq": "Rome"}, "rating": {"gt": 3}, "takenAt": {"gte": "2024-01-01T00:00:00Z"},
                    "or": [{"ocr": {"matches": "c"}}, {"isFavorite": {"eq": True}}, {"personIds": {"any": [
                        "5b4cab2a-607b-4054-a512-8f31a3c3e07e"]}}]}, "orderBy": {"field": "fileCreatedAt", "direction": "desc"},
         "cursor": "eyJvZmZzZXQiOjF9", "size": 2}),
    (2, {"ocr": "a", "size": 3, "withPeople": True}),
    (2, {"filter": {"ocr": {"matches": "a"}, "checksum": {"in": ["aGFzaA=="]}, "make": {"in": ["a", None]}}, "withStacked": False}),
    (3, {"ocr": "a", "description": "b", "isFavorite": True}),
    (3, {"filter": {"type": {"eq": "VIDEO"}, "ocr": {"matches": "a"}, "description": {"startsWith": "x"}, "encodedVideoPath": {"ne": None}}}),
    (0, {"query": "x", "filter": {"or": [{"ocr": {"matches": "a"}}] * 9}}),
    (1, {"queryAssetId": "x", "filter": [], "ocr": "OCR: "}),
]
for number, (route, body) in enumerate(SEARCHES):
    put("searches", str(number), bytes([route]) + json.dumps(body, ensure_ascii=False).encode())


def text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def whole(number):
    return b"J" + struct.pack("<i", number)


def tensor(kind, key, elements, offset, shape, strides, persistent=b"Q"):
    ints = lambda numbers: b"(" + b"".join(map(whole, numbers)) + b"t"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
            + whole(elements) + b"t" + persistent + whole(offset) + ints(shape) + ints(strides) + b"\x89ccollections\nOrderedDict\n)RtR")


def state(*entries):
    return b"\x80\x02}q\x00(" + b"".join(text(name) + value for name, value in entries) + b"u."


ONE = state(("module.w", tensor("FloatStorage", "0", 16, 0, [4, 4], [4, 1])))
TWO = state(("w", tensor("FloatStorage", "0", 16, 1, [3, 2], [1, 4])), ("h", tensor("HalfStorage", "0", 32, 8, [8], [1])))
NESTED = b"\x80\x02}(" + text("epoch") + b"K\x07" + text("state_dict") + ONE[2:-1] + text("optimizer") + b"](NI5\nG" + b"\0" * 8 + b"euub."
NEWER = b"\x80\x04\x95" + b"\0" * 8 + b"\x8c\x0btorch._utils\x8c\x12_rebuild_tensor_v2\x93\x94."
for name, pickle in [("one", ONE), ("two", TWO), ("nested", NESTED), ("newer", NEWER), ("system", b"cposix\nsystem\n(X\x02\0\0\0idtR."),
                     ("object", b"\x80\x02csubprocess\nPopen\n)}\x92."), ("marks", b"((((N(1]]]aae0}}su."),
                     ("repeats", state(("w", tensor("BFloat16Storage", "0", 32, 0, [2, 1, 4], [0, 9, 1]))))]:
    put("pickle", name, pickle)


def archive(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as zip:
        for name, content in members:
            zip.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


FLOATS = struct.pack("<16f", *range(16))
put("checkpoint", "stored", archive([("m/data.pkl", ONE), ("m/byteorder", b"little"), ("m/data/0", FLOATS), ("m/version", b"3\n")]))
put("checkpoint", "deflated", archive([("m/data.pkl", TWO), ("m/data/0", FLOATS)], zipfile.ZIP_DEFLATED))
put("checkpoint", "script", archive([("m/data.pkl", ONE), ("m/constants.pkl", b"")]))
put("checkpoint", "twice", archive([("m/data.pkl", ONE), ("n/data.pkl", ONE)]))
put("checkpoint", "legacy", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")


def tensors(header, data):
    header = json.dumps(header).encode()
    put("checkpoint", f"safetensors-{len(header)}", struct.pack("<Q", len(header)) + header + data)
    put("safetensors", str(len(header)), header + b"\n" + data)


tensors({"w": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}, "h": {"dtype": "BF16", "shape": [16], "data_offsets": [32, 64]},
         "__metadata__": {"format": "pt"}}, FLOATS)
tensors({"i": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}, "e": {"dtype": "F16", "shape": [0, 5], "data_offsets": [8, 8]}}, bytes(8))
tensors({"w": {"dtype": "F8_E4M3", "shape": [18446744073709551615, 2], "data_offsets": [0, 1]}}, b"x")

put("archive", "zip", b"\0" + archive([("package-1.0/model.onnx", b"model"), ("../../up", b"u"), ("/root", b"r"), ("folder/", b"")]))
put("archive", "zip-deflated", b"\0" + archive([("model.onnx", b"0" * 3000)], zipfile.ZIP_DEFLATED))


def tar(members, kind):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../up"
        tar.addfile(link)
    return b"\1" + out.getvalue().rstrip(b"\0") + bytes(1024)


put("archive", "tar-ustar", tar([("p-1.0/model.onnx", b"model"), ("../up", b"u")], tarfile.USTAR_FORMAT))
put("archive", "tar-gnu", tar([("d/" * 60 + "model.onnx", b"model")], tarfile.GNU_FORMAT))
put("archive", "tar-pax", tar([("日/" * 60 + "model.onnx", b"model")], tarfile.PAX_FORMAT))

put("ignored", "rules", "# a comment\n\n*.png\n!b c.png\n/d/\n**/f/*.jpg\n\\#x\ntrailing \\ \n")
put("ignored", "classes", "[[]h[]].gif\n[!a-z]?.jpg\n{a,b}.jpg\n日*/\n[a-\n")
put("ignored", "everything", "*\n!*/\n!d/**\n")
put("ignored", "nothing", "\n  \n\n")
put("ignored", "bytes", b"\xef\xbb\xbfa.jpg\r\n\xff\xfe*\n")

put("dates", "day", "2024-02-29")
put("dates", "signs", "1900.3/1")
put("dates", "bare-exif", b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHII", 0x0132, 2, 20, 38) + struct.pack("<HHII", 0x8769, 4, 1, 58)
    + bytes(4) + b"2024:02:29 12:34:56\0" + struct.pack("<H", 2) + struct.pack("<HHII", 0x9003, 2, 20, 88)
    + struct.pack("<HHI4s", 0x9291, 2, 4, b"123\0") + bytes(4) + b"0000:00:00 00:00:60\0")
put("image", "unknown", b"BM" + bytes(60))
put("image", "gif", b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x02\0\x02\0\0\x02\x02\x84Q\0;")
