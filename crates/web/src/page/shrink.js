// Pictures as the server takes them: of formats that it knows, and not too large. Whatever else this browser can show is drawn anew.

/** What is sent as it is. */
const SENT = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp', 'image/tiff'];
/** Bytes that are sent as they are, at most. More tell nothing to a network that looks at some hundred pixels a side. */
const MOST_BYTES = 8e6;
/** The longer side of what is drawn anew, in pixels. */
const SIDE = 1600;

/** The file itself or a smaller picture of it; the file, too, where this browser cannot show it. */
export async function smaller(file) {
  if (SENT.includes(file.type) && file.size <= MOST_BYTES) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return file;
  }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const drawn = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.92); });
  return drawn ?? file;
}
