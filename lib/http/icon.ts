import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";

/** Width and height of the icon in pixels. */
export const ICON_SIZE = 512;

type Point = readonly [x: number, y: number];

const GROUND = [0x45, 0x37, 0xd6] as const;
const CORNER = 112;
/** Half the width of a line. */
const STROKE = 19;
const RING = 44;
/** A branch that leaves the trunk: three commits. */
const BOTTOM: Point = [176, 372];
const TOP: Point = [176, 140];
const SIDE: Point = [336, 204];
const ARC_PIECES = 16;

let made: Uint8Array<ArrayBuffer> | undefined;

/** The server's icon as a PNG (512x512 RGBA), drawn at the first call: always the same bytes. */
export function iconPng(): Uint8Array<ArrayBuffer> {
  return made ??= encodePng(ICON_SIZE, draw());
}

/** Rows of one filter byte (none) and RGBA pixels: a white mark on a rounded square. */
function draw(): Uint8Array {
  const rows = new Uint8Array(ICON_SIZE * (1 + ICON_SIZE * 4));
  const arc = arcPoints();
  let at = 0;
  for (let y = 0.5; y < ICON_SIZE; y++) {
    at++;
    for (let x = 0.5; x < ICON_SIZE; x++, at += 4) {
      const ground = coverage(groundDistance(x, y));
      if (ground === 0) continue;
      const mark = coverage(markDistance(x, y, arc));
      for (let channel = 0; channel < 3; channel++) {
        rows[at + channel] = Math.round(GROUND[channel]! + (255 - GROUND[channel]!) * mark);
      }
      rows[at + 3] = Math.round(255 * ground);
    }
  }
  return rows;
}

/** 1 inside, 0 outside, in between on the edge, from a signed distance in pixels. */
function coverage(distance: number): number {
  return Math.min(1, Math.max(0, 0.5 - distance));
}

/** Not Math.hypot, which is many times slower. */
function length(dx: number, dy: number): number {
  return Math.sqrt(dx * dx + dy * dy);
}

function groundDistance(x: number, y: number): number {
  const half = ICON_SIZE / 2;
  const dx = Math.abs(x - half) - half + CORNER;
  const dy = Math.abs(y - half) - half + CORNER;
  return length(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - CORNER;
}

/** Signed distance to the mark. Lines stop at the rings, whose inside stays empty. */
function markDistance(x: number, y: number, arc: readonly Point[]): number {
  const bottom = length(x - BOTTOM[0], y - BOTTOM[1]);
  const top = length(x - TOP[0], y - TOP[1]);
  const side = length(x - SIDE[0], y - SIDE[1]);
  const nearest = Math.min(bottom, top, side);
  const rings = Math.abs(nearest - RING) - STROKE;
  const isNearArc = x > TOP[0] - 2 * STROKE && x < SIDE[0] + 2 * STROKE && y > SIDE[1] && y < BOTTOM[1];
  let line = segment(x, y, BOTTOM, TOP);
  for (let index = 1; isNearArc && index < arc.length; index++) {
    line = Math.min(line, segment(x, y, arc[index - 1]!, arc[index]!));
  }
  return Math.min(rings, Math.max(line - STROKE, RING - nearest));
}

function segment(x: number, y: number, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)));
  return length(x - ax - along * dx, y - ay - along * dy);
}

/** From the trunk up to the side commit: a quarter of an ellipse in straight pieces. */
function arcPoints(): Point[] {
  return Array.from({ length: ARC_PIECES + 1 }, (_, index) => {
    const angle = (index / ARC_PIECES) * (Math.PI / 2);
    return [SIDE[0] - (SIDE[0] - TOP[0]) * (1 - Math.cos(angle)), SIDE[1] + 128 * Math.sin(angle)] as const;
  });
}

/** PNG of unfiltered RGBA rows. */
function encodePng(size: number, rows: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8); // 8 bits a channel, RGBA
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, sum]);
}
