// Takes a photograph with the computer's camera.

const dialog = document.getElementById("camera");
const video = dialog.querySelector("video");
const message = dialog.querySelector(".message");
const shoot = document.getElementById("shoot");
let stream = null;
let taken = () => {};

export async function photograph(who, callback) {
  document.getElementById("camera-name").textContent = `Photograph ${who}`;
  message.textContent = "";
  taken = callback;
  shoot.disabled = true;
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 960, facingMode: "user" } });
  } catch (error) {
    message.textContent = "No camera can be used here; choose a photograph instead";
    return;
  }
  if (!dialog.open) return stop();
  video.srcObject = stream;
}

video.addEventListener("loadeddata", () => { shoot.disabled = false; });

shoot.addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => taken(blob), "image/jpeg", 0.95);
  dialog.close();
});
document.getElementById("camera-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", stop);

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
}
