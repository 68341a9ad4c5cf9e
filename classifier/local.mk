# Message -> tokens -> score -> verdict. Includes db/ and lib/.
