// A picture with as many colours as a dashboard needs: `node shrink.mjs FROM TO`.
import sharp from 'sharp';

const [from, to] = process.argv.slice(2);
await sharp(from).png({ palette: true, colours: 128, dither: 0, effort: 10, compressionLevel: 9 }).toFile(to);
