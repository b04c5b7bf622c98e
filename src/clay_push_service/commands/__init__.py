"""What the commands of `clay-push` do, one module each; they print, the layers below do not."""
