"""Reading and writing files: the only folder of refnet that imports h5py."""
