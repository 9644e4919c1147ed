// @ts-check
/** Reads the reports of the latents, which have no prior where nothing was drawn, for example before the first frame. */

/**
 * A report with one number for each latent in every part.
 * @typedef {{latent: ArrayLike<number>, mean: ArrayLike<number>, std: ArrayLike<number>, kl: ArrayLike<number>, hasPrior: boolean}} Report
 */

/**
 * Return a report that is complete, or null if it has no latents.
 *
 * @param {{latent?: ArrayLike<number>|null, mean?: ArrayLike<number>|null, std?: ArrayLike<number>|null, kl?: ArrayLike<number>|null}} report
 * @param {number} count  Number of latents.
 * @returns {Report|null}
 */
export function readReport({ latent, mean, std, kl }, count) {
  if (latent?.length !== count) return null;
  const hasPrior = [mean, std, kl].every((part) => part?.length === count);
  const nothing = new Float32Array(count);
  return /** @type {Report} */ (hasPrior ? { latent, mean, std, kl, hasPrior } : { latent, mean: nothing, std: nothing, kl: nothing, hasPrior });
}
