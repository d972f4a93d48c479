// Shows the photo or product that is searched with, and the searched part of the photo.

import { abilities, boxOf } from "./asking.js";
import { titlesOf } from "./columns.js";
import { showBox } from "./crop.js";
import * as view from "./view.js";

let shownPhoto = null;
let photoUrl = null;

export function showSubject({ photo, product, subject, box }) {
  if (photo !== shownPhoto || !photo) {
    URL.revokeObjectURL(photoUrl);
    shownPhoto = photo;
    photoUrl = photo ? URL.createObjectURL(photo) : null;
    if (photo) view.showPhoto(photo, photoUrl);
    else if (subject) view.showProduct(subject);
    else view.hideSubject();
  }
  showCropping({ photo, box });
  view.setTitle(...titlesOf({ photo, product, subject }));
}

export function showCropping({ photo, box, columns }) {
  const shown = photo ? boxOf({ box, columns }) : undefined;
  view.showCropping({ allowed: Boolean(photo), finds: abilities.findsBox, box: shown });
  showBox(shown);
}

/** The URL of the picture of the photo or product. */
export function pictureOf({ photo, subject }) {
  return photo ? photoUrl : subject.image_url;
}
