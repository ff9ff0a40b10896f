// Known answers of our own making, for machines without the published vectors: lengths from 0 up, across the edges of
// blocks (64 bytes), of chunks (1 KiB) and of subtrees. Byte i of each input is (7 × i + floor(i ÷ 256)) mod 256.
// Computed with the `blake3` package of PyPI, version 1.0.11, which wraps the Rust reference crate:
//   for n in lengths: blake3(bytes((7 * i + i // 256) % 256 for i in range(n))).hexdigest()

export const knownAnswers: readonly { readonly length: number; readonly hash: string }[] = [
  { length: 0, hash: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262' },
  { length: 1, hash: '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213' },
  { length: 2, hash: 'b9e2c902602007a58a4bbdafacd9bbaddf3ba2d2d2a0ea9a0d80b6b2db382850' },
  { length: 3, hash: 'f7ead025f69c8b1aa936df3360e05924e4e12c854d595b47370e80527a92769c' },
  { length: 31, hash: 'cb0ffb21a26590ed66505a98d8779e3ecb5314fdd69c17229db9922ff342a32b' },
  { length: 32, hash: 'e0e0dcd40943bc847ebe9955bbed74cd065cb157f0c2a83f9c04a07f705b7224' },
  { length: 33, hash: '7e9bccf42c2b920ed4a7a032d24110313fd2924d250bf0c8f95f0e00566b4f33' },
  { length: 63, hash: '05ea11bb8b03801cb11b92b2272a09a1091445ab2be91f5012845aa745899cce' },
  { length: 64, hash: '91879ebe9cbc1b03e7d14eeb052ace3b17c666416098b545f2b070c8624bc94a' },
  { length: 65, hash: '57a299ea7fe87704589bdcc5c5f1dc35409bbc9c333af038ea9424770cfea65d' },
  { length: 127, hash: 'ddd98ee31beb4fcbac42ef42f30a86d319979890d9c5ff0ca4c71b49cb41139a' },
  { length: 128, hash: '7f4f04442905223a89c1769802ace58903820922a61dd5ac1fe05628fecdadd4' },
  { length: 129, hash: '12339463e8a84035fc74a23ac74579306ee88b312c4aa80eb5fb6ad1d8872114' },
  { length: 1000, hash: '170350a4a4cc0245e85ee1aa9ecc25b49a5045ca777c01aab368e8a2cb6e81de' },
  { length: 1023, hash: '4eeafa1cdd8e39eb4610d8c947db0c757308318357eea20970c42ead72fa913e' },
  { length: 1024, hash: 'bde35b561408a376a2ecf7812d4822e50ada3caecfbe85a2fd92a6b341cce8b9' },
  { length: 1025, hash: 'd2cd402063940be6c8726a1e785e11e09f92d46f6552eeec30ff9beb426e38d0' },
  { length: 2047, hash: '0188bbe302a770792aeaa3a8c13bf8ae0ad7a0068c1633c3d7f2116c13e74f5f' },
  { length: 2048, hash: '20914c30baab014d8bb332c0734a4841eedc9ec698cd39257fc9ade9a285bc2a' },
  { length: 2049, hash: 'bc2b3a86301382a0da8f0522be7369635f44af023520cd948e1d517c4f0e0b66' },
  { length: 3071, hash: 'd63fbc2f1caf1fd6d2e28be42e5373b84cb4c683636c93a5adfe4efbb03fc5a6' },
  { length: 3072, hash: '24acb4f5bc61227b6542d5420fd9e0b914c007dd4c64953cc33ac2e64efc0858' },
  { length: 3073, hash: 'c5eac12366534572dac49aa9eff411de651bcf0ef11fb6ecad8492d5bbb3777b' },
  { length: 4096, hash: '775bf86c2ed2894809c5d74a434c180b29634adbb2f9f3b66de84a0f8a96ea6c' },
  { length: 4097, hash: '5238a2e109fc1bf7740f09fb3997a36c515b84cb1604ba7bef06909ad460158f' },
  { length: 5120, hash: 'e6e785a65e4800001643986de89e6d0752dd86e8689059f6c1bb7a8d847525c1' },
  { length: 8191, hash: '3180ba9d054ec9f63be929a9235c765f4931f9333ee89fceba7256bae7b8b4cd' },
  { length: 8192, hash: 'c2895dc91df62ed45c75679d9e28836dee6fc56fe9105680ae57876613eb09ad' },
  { length: 8193, hash: '477377ee9050d98bd258a0dfe9da9555f8d06caf66fe9131d77c9e5d43d6b91e' },
  { length: 16383, hash: '6e5bd56b458d671b33efb9e2cb091aba1f50a8598d2d77a7c915579add4fd917' },
  { length: 16384, hash: 'eecae8f2d3e675080588a1a317b86f9a0e8541186df711df88a253573e22550a' },
  { length: 16385, hash: '8f8dcc08a19549b3a245639aea337681ee8ae8ca5955d05b5baeceaf6e7b4aa5' },
  { length: 31744, hash: '50d75322dd5a9023647486918df1de5dd660c04e9d576678065fdc070ffd8971' },
  { length: 65535, hash: '2c24858574b05852639e9fa9a63f875679cea82269ef6f49ecbfa6f062c475d2' },
  { length: 65536, hash: 'd9daf2a17da1f119ed2cfa19592c742db80f6a5090c66bd22ab02330acd7be01' },
  { length: 65537, hash: '63f03aad10e419cfc23b64db536880b5d1f470a4cd3542c0bd2fc698b616765e' },
  { length: 131071, hash: '2f81a84fe31c39108b58daf4e2963b7bd657a8ef15f1d241b4598f610fadd495' },
  { length: 131072, hash: '20e7e8327f4ec2988409e50b1d67b3ccfb8fad6bf73ccef6c45c715e38de7f9e' },
  { length: 131073, hash: '2fb71e23e17ccba01ca708b922cfd1ff15efabcf09684436b043f1bb2a4874af' },
  { length: 262144, hash: '18dc498a28b7feb72c6017c3784ae3e7e9fa934ef122597028dda804f8549085' },
  { length: 1000003, hash: 'fa4b66fc77469f92d6b3a9ab746744a3bc52c833e032ba5b4b4c5eced839f33b' },
  { length: 1048576, hash: '277646317c00df1f8ab3ed2f43808766c1c57870038d524cde4ce8824fc4c43a' },
  { length: 2097153, hash: '081435429c33d5cddafca474e8dad0f28faa66c83cb61b2daa33a6e9df7f8662' },
];

export function knownInput(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (7 * i + Math.floor(i / 256)) % 256);
}
