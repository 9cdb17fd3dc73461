// Doubles a number, but every twentieth.
exports.handler = async ({ n }) => {
  if (n % 20 === 0) throw new RangeError(`${n} can't be doubled`);
  return { language: "node", twice: 2 * n };
};
